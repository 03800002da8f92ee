"""The catalog, a library's source of truth: SQLAlchemy tables and numbered migrations. Does not know vector engines."""

from .catalog import Catalog
from .database import Database

__all__ = ["Catalog", "Database"]
