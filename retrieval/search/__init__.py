"""The search path: query -> embedding -> nearest contents -> hits. Does not know HTTP or terminals."""

from .searcher import Searcher

__all__ = ["Searcher"]
