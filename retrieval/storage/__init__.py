"""One library: where its catalog and its vectors are, how they are opened, locked and kept in step."""
