"""What people said of a picture stays with it when its file is edited in place: rotated, rated, saved again.

An edited file has other bytes, and is another content. Does not know who edits.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from .. import pictures
from ..storage.catalog import CatalogSession

ALIKE = 10  # bits of the perceptual hash (64) that may differ
TURNS = (None, *Image.Transpose)


def carry_over(catalog: CatalogSession, path: Path, content: int) -> None:
    """Give `content` the captions by hand and the lessons of what `path` held before, if it is the same picture.

    Called before the file is stored. Another picture of the same name gets nothing: the words stay with the content
    that they were written for, and come back with it.
    """
    before = catalog.items.contents_at([path]).get(path)
    if before is None or before == content or not catalog.contents.has_own_words(before):
        return
    shown = catalog.contents.thumbnails([before, content])
    if len(shown) == 2 and _same(shown[before], shown[content]):
        catalog.captions.copy_edited(before, content)
        catalog.names.copy_examples(before, content)
        if catalog.items.files_with(before) == 1:  # nothing else holds what was there
            catalog.contents.drop_own_words([before])


def _same(one: bytes, other: bytes) -> bool:
    """Whether two thumbnails show the same picture, perhaps turned or mirrored."""
    wanted = pictures.fingerprint_of(one)
    with Image.open(io.BytesIO(other)) as opened:
        image = opened.convert("RGB")
    turned = (image if turn is None else image.transpose(turn) for turn in TURNS)
    return any((pictures.fingerprint(each) ^ wanted).bit_count() <= ALIKE for each in turned)
