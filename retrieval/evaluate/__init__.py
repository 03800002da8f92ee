"""How good a model or a library is, measured on pairs that are known to belong together."""

from .pairs import evaluate
from .recall import metrics

__all__ = ["evaluate", "metrics"]
