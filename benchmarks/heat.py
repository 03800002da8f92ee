"""Where a picture shows what a caption says: two dev photos side by side, and whose half is hottest.

    python -m benchmarks.heat [--pairs 200] [--model builtin]

Chance is 50%.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from retrieval import Settings
from retrieval.encoders import Encoder, SupportsPatchFeatures
from retrieval.library import backends

DEV = Path(__file__).parent.parent.parent / "shared" / "data" / "flickr8k" / "dev"


def pointing(encoder: Encoder, pairs: int) -> float:
    """The share of captions whose hottest cell lies in the half that shows their own photo."""
    assert isinstance(encoder, SupportsPatchFeatures)
    with DEV.with_suffix(".csv").open(newline="", encoding="utf-8") as stream:
        captions = {row["image"]: row["caption"] for row in csv.DictReader(stream)}
    names = sorted(captions)[: 2 * pairs]
    right = 0
    for left, other in zip(names[::2], names[1::2], strict=True):
        both = Image.new("RGB", (448, 224))
        for name, place in ((left, 0), (other, 224)):
            both.paste(Image.open(DEV / name).convert("RGB").resize((224, 224)), (place, 0))
        texts = encoder.texts([captions[left], captions[other]])
        heat = encoder.patch_features(both) @ texts.T  # (rows, columns, 2)
        for number in range(2):
            _, column = np.unravel_index(heat[..., number].argmax(), heat.shape[:2])
            middle = (heat.shape[1] - 1) / 2
            right += int(column < middle) if number == 0 else int(column > middle)
    return right / len(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--model", default="builtin")
    given = parser.parse_args()
    share = pointing(backends.encoder(Settings(), given.model), given.pairs)
    print(f"hottest cell in the right half: {share:.1%} of captions")


if __name__ == "__main__":
    main()
