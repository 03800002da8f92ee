"""Bytes -> an upright sRGB picture, its facts, its thumbnail and its content hash. Does not know models."""

from .decode import decode, facts, load, read
from .metadata import sidecar_facts
from .thumbnails import THUMBNAIL_SIDE, thumbnail

__all__ = ["THUMBNAIL_SIDE", "decode", "facts", "load", "read", "sidecar_facts", "thumbnail"]
