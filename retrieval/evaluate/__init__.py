"""Evaluation of a model or a library on pairs of pictures and captions that belong together."""

from .pairs import evaluate
from .recall import metrics

__all__ = ["evaluate", "metrics"]
