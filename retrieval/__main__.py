"""`python -m retrieval` is `retrieval`."""

from .cli import program

program()
