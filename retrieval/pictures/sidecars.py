"""Adds a caption to an XMP sidecar without changing a byte that others wrote.

Knows the packet's text; does not know the library. `metadata.py` reads sidecars and ignores what was written here.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from ..errors import SourceError
from .metadata.xmp import NAMESPACES, xmp_root

EMPTY = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
"""
BLOCK = """  <rdf:Description rdf:about={about} xmlns:rdf="{rdf}" xmlns:dc="{dc}"
    xmlns:retrieval="{retrieval}" retrieval:Caption={quoted} retrieval:Model={model}>
   <dc:description>
    <rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>
   </dc:description>
  </rdf:Description>
"""
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # characters that XML 1.0 does not allow


def place_of(picture: Path) -> Path:
    """Return the path of the existing sidecar (`a.jpg.xmp` or `a.xmp`, in any case), otherwise `a.jpg.xmp`."""
    beside = picture.with_name(picture.name + ".xmp")
    return _in_any_case(beside) or _in_any_case(picture.with_suffix(".xmp")) or beside


def _in_any_case(place: Path) -> Path | None:
    """Return the file with this name, whatever its case; None if there is none."""
    if place.is_file():
        return place
    names = sorted(os.listdir(place.parent)) if place.parent.is_dir() else []  # noqa: PTH208  # names are enough
    return next((place.with_name(name) for name in names if name.lower() == place.name.lower()), None)


def with_caption(packet: bytes | None, caption: str, model: str) -> bytes | None:
    """Return the sidecar with a caption by a model, or by hand (empty `model`); None if it already has a description.

    `packet` is the content of the sidecar, or None if there is none yet.

    Raises:
        SourceError: the packet is not XMP in UTF-8, already has a caption written here, or would break.
    """
    text = EMPTY.encode() if packet is None else packet
    try:
        root, end = xmp_root(text), re.search(rb"[ \t]*</[A-Za-z_][\w.-]*:RDF\s*>", text)
    except ValueError as exc:
        raise SourceError("it is not an XMP packet in UTF-8") from exc
    if end is None:
        raise SourceError("it is not an XMP packet in UTF-8")
    if b"retrieval:Caption" in text:
        raise SourceError("another library has written a caption into it")
    if root.find(".//dc:description", NAMESPACES) is not None:
        return None
    about = re.search(rb"""about=("[^"]*"|'[^']*')""", text)
    caption = UNPRINTABLE.sub(" ", caption)
    block = BLOCK.format(
        **NAMESPACES,
        about=about[1].decode("utf-8", "replace") if about else '""',
        quoted=quoteattr(caption),
        model=quoteattr(model or "by hand"),
        text=escape(caption),
    )
    found = text[: end.start()] + block.encode() + text[end.start() :]
    try:
        xmp_root(found)
    except ValueError as exc:
        raise SourceError("a caption cannot be put into it without breaking it") from exc
    return found
