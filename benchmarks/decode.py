"""Decoding 12-megapixel JPEGs at full and at reduced scale: seconds a picture, and how faithful the embedding stays.

    python benchmarks/decode.py FOLDER [COUNT]

Pictures of FOLDER are enlarged to 4000 x 3000 pixels first, so that it measures what cameras write.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from pathlib import Path

from PIL import Image

from retrieval.encoders.builtin_encoder import BuiltinEncoder
from retrieval.pictures import decode


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    encoder = BuiltinEncoder.load()
    times: dict[str, list[float]] = {"full": [], "reduced": []}
    cosines = []
    for path in sorted(folder.iterdir())[:count]:
        out = io.BytesIO()
        Image.open(path).convert("RGB").resize((4000, 3000), Image.Resampling.LANCZOS).save(out, "JPEG", quality=92)
        rows = []
        for name, least in (("full", 0), ("reduced", encoder.image_size)):
            started = time.perf_counter()
            prepared = encoder.prepare(decode(out.getvalue(), "a.jpg", least).image)
            times[name].append(time.perf_counter() - started)
            rows.append(encoder.images([prepared])[0])
        cosines.append(float(rows[0] @ rows[1]))
    full, reduced = (statistics.median(times[name]) for name in ("full", "reduced"))
    print(f"{len(cosines)} pictures of 12 megapixels, medians")
    print(f"full     {1000 * full:7.1f} ms")
    print(f"reduced  {1000 * reduced:7.1f} ms   {full / reduced:.1f} times faster")
    print(f"cosine of the embeddings: least {min(cosines):.5f}, median {statistics.median(cosines):.5f}")


if __name__ == "__main__":
    main()
