"""`python -m retrieval` is `retrieval`."""

from .cli import main

main()
