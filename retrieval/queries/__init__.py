"""The query language: text -> what is looked for, and which pictures may answer. docs/queries.md describes it.

Knows words, tokens, dates and places; does not know libraries, models or tables.
"""

from .interpret import interpret

__all__ = ["interpret"]
