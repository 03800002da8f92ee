"""From bytes to an upright sRGB picture, its facts, its thumbnail and its content hash. Does not know models."""

from .decode import decode, facts, load, read
from .metadata import sidecar_facts
from .thumbnails import THUMBNAIL_SIDE, fingerprint_of, thumbnail

__all__ = ["THUMBNAIL_SIDE", "decode", "facts", "fingerprint_of", "load", "read", "sidecar_facts", "thumbnail"]
