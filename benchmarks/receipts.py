"""Text in pictures: does a receipt's merchant, and its total, find it first among all?

    python benchmarks/receipts.py receipts/ [--among FOLDER]

The folder has pictures and a `fields.json` with `company` and `total` of each. They are indexed and read by the
product's own code, with other pictures beside them if wanted; each field is a query as people would type it. Right is a
receipt with that very merchant, or total: some merchants have several.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from retrieval import Library, Settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("receipts", type=Path)
    parser.add_argument("--among", type=Path, help="a folder of other pictures")
    given = parser.parse_args()
    fields = json.loads((given.receipts / "fields.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder, Library.create(folder, Settings()) as library:
        library.index([given.receipts, *([given.among] if given.among else [])])
        read = library.read_texts([given.receipts])
        print(
            f"{read.read} receipts read, {read.seconds / max(read.read, 1):.2f} s each; {len(library)} pictures in all"
        )
        for name in ("company", "total"):
            first = shown = 0
            for file, known in fields.items():
                hits = library.search(known[name], k=3).hits
                found = fields.get(hits[0].path.name, {}) if hits and hits[0].path else {}
                right = found.get(name) == known[name]  # three receipts are of one merchant
                first += right
                shown += right and bool(hits[0].boxes)
                if not right:
                    others = [hit.path.name for hit in hits if hit.path]
                    print(f"  {name} {known[name]!r}: {file} is not first, but {others}")
            print(f"{name}: {first} of {len(fields)} first, {shown} with the place in the picture")


if __name__ == "__main__":
    main()
