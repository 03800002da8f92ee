"""Export and import of pictures as files and tables, and duplicates. Does not know queries."""
