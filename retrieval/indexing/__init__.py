"""Sources -> decode -> encode -> store -> vectors. Does not know HTTP or terminals."""

from .indexer import Indexer, Options

__all__ = ["Indexer", "Options"]
