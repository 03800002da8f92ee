"""Captions of a held-back set against people's: BLEU-4, things that they invent, and captions a minute.

    python -m benchmarks.captions dev.csv dev/ [--vlm NAME] [--limit N]

BLEU-4 (Papineni et al. 2002) over all pictures at once, each against all its references, lower case, words and numbers
only (as the COCO evaluation leaves punctuation out), closest reference length, no smoothing; computed by sacrebleu.
Beams and the like are the checkpoint's own `generation_config.json`: four beams for the built-in captioner.

Inventions (after CHAIR, Rohrbach et al. 2018): of the things that the captions name (`queries/objects.toml`), those
that no reference of the picture names; and those that none names or leaves open ("person" leaves "man" open).
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from itertools import zip_longest
from pathlib import Path

import sacrebleu

from benchmarks import objects
from retrieval import Settings, pictures
from retrieval.library import backends
from retrieval.sources.caption_files import read_captions
from retrieval.types.records import Caption
from retrieval.vlm import IMAGE_SIZE

BATCH = 32


def plain(text: str) -> str:
    """Lower-case words and numbers."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--vlm", default="builtin")
    parser.add_argument("--limit", type=int, default=1000)
    given = parser.parse_args()
    references: dict[Path, list[str]] = {}
    for row in read_captions(given.captions, given.images):
        if isinstance(row, Caption) and row.picture is not None:
            references.setdefault(row.picture, []).append(plain(row.text))
    paths = list(references)[: given.limit]
    model = backends.vlm(Settings(vlm=given.vlm))
    images = [pictures.load(path, IMAGE_SIZE).image for path in paths]
    model.caption(images[:1])  # warm
    started, said = time.perf_counter(), []
    for start in range(0, len(images), BATCH):
        said += model.caption(images[start : start + BATCH])
    seconds = time.perf_counter() - started
    found = [plain(text) for text in said]
    # sacrebleu wants the first reference of each picture, then the second of each ...
    truth = [list(each) for each in zip_longest(*(references[path] for path in paths))]
    bleu = sacrebleu.corpus_bleu(found, truth, tokenize="none", smooth_method="none")
    for path, text in list(zip(paths, said, strict=True))[:10]:
        print(f"  {path.name}: {text}")
    print(
        f"{'model':<12} {'pictures':>8} {'BLEU-4':>7} {'1-gram':>7} {'brevity':>8} {'a minute':>9} "
        f"{'things':>7} {'in no reference':>16} {'nor left open':>14}"
    )
    rate = 60 * len(paths) / seconds
    things, invented, impossible = 0, Counter[str](), Counter[str]()
    for path, text in zip(paths, found, strict=True):
        named = objects.named(text)
        wrong = named - {name for name, count in objects.times(references[path]).items() if count}
        things += len(named)
        invented.update(wrong)
        impossible.update(wrong - objects.open_in(references[path]))
    print(
        f"{model.name:<12} {len(paths):>8} {bleu.score:7.2f} {bleu.precisions[0]:7.1f} {bleu.bp:8.3f} {rate:9.0f} "
        f"{things:>7} {100 * invented.total() / things:15.1f}% {100 * impossible.total() / things:13.1f}%"
    )
    print("invented most often:", ", ".join(f"{name} {count}" for name, count in invented.most_common(12)))


if __name__ == "__main__":
    main()
