"""SQLAlchemy tables, numbered migrations and the catalog: the truth of a library. Does not know vectors' engines."""

from .catalog import Catalog
from .database import Database

__all__ = ["Catalog", "Database"]
