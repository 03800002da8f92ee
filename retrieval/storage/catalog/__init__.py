"""The catalog: all that a library knows but its vectors' order, in one database, by table.

`Database` opens it, `CatalogSession` is one transaction with a repository for each kind of thing.
"""

from .database import Database
from .session import CatalogSession

__all__ = ["CatalogSession", "Database"]
