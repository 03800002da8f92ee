"""The query language: turns text into search terms and filters. docs/queries.md describes it."""

from .interpret import interpret

__all__ = ["interpret"]
