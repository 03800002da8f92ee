"""Why a picture is a hit, and why another one is not."""
