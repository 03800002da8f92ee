"""Indexing: sources are read, decoded, encoded and stored. Does not know HTTP or terminals."""

from .indexer import Indexer, Options

__all__ = ["Indexer", "Options"]
