"""From bytes to an upright sRGB picture, its facts, its thumbnail and its content hash. Does not know models."""

from .decode import OpenedPicture, decode, load, open_picture
from .files import hash_file, read_file
from .metadata import read_sidecars
from .thumbnails import THUMBNAIL_SIDE, fingerprint, fingerprint_of, thumbnail

__all__ = [
    "THUMBNAIL_SIDE",
    "OpenedPicture",
    "decode",
    "fingerprint",
    "fingerprint_of",
    "hash_file",
    "load",
    "open_picture",
    "read_file",
    "read_sidecars",
    "thumbnail",
]
