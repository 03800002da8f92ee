"""What each task costs in a library of a thousand pictures to a million: seconds, and the slope on a log-log picture.

    python benchmarks/growth.py [--sizes 1000,10000,...] [--at FOLDER] [--write] [--quick]

Clustered vectors of 512 numbers through the real store, thumbnails of 10 KB; the encoder draws vectors at once. A slope
of 0 is a cost that does not grow, 1 one that grows with the library; `check` reads all of it and must.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import report, synthetic
from retrieval import Library, Settings
from retrieval.calibration.calibration import Calibration
from retrieval.indexing import Indexer
from retrieval.library import backends
from retrieval.types.records import Space

PICTURE = report.PAGE.parent / "growth.svg"
SPACE = Space("colours", 512, "drawn")
TASKS = ("opening", "status", "searching", "filtering", "indexing a photo", "forgetting it", "checking")
RUNS = 5


def costs(known: Path, scratch: Path) -> dict[str, float]:
    """Medians of the seconds that each task takes in a library, which is left as it was."""
    settings = Settings(model="colours")
    encoder = synthetic.Drawn(SPACE)
    with Library.open(known, settings) as library:  # what is worked out once for a library
        Calibration(library.storage, lambda _: encoder).image_scale()
    photos = [_photo(scratch / f"{number}.png", number) for number in range(RUNS)]
    found: dict[str, list[float]] = {task: [] for task in TASKS}

    def clock(task: str, work: Callable[[], object]) -> None:
        found[task].append(report.seconds(work))

    for photo in photos:
        library = Library.open(known, settings, encoder=encoder)
        clock("opening", library.services.calibration().anchors)
        clock("status", library.status)
        clock("searching", lambda: library.search("a dog on the beach"))  # noqa: B023  # called at once
        clock("filtering", lambda: library.search("a dog path:*07/*"))  # noqa: B023
        indexer = Indexer(library.storage, encoder)
        clock("indexing a photo", lambda: indexer.run([photo]))  # noqa: B023
        clock("forgetting it", lambda: library.remove([photo]))  # noqa: B023
        library.close()
    clock("checking", lambda: backends.check(known, settings))
    return {task: float(np.median(seconds)) for task, seconds in found.items()}


def _photo(path: Path, number: int) -> Path:
    noise = np.random.default_rng(number).integers(0, 256, (240, 320, 3), np.uint8)
    Image.fromarray(noise).save(path)
    return path


def slope(sizes: list[int], seconds: list[float]) -> float:
    """How the logarithm of the cost grows with that of the size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def draw(sizes: list[int], found: list[dict[str, float]]) -> None:
    """Costs over sizes, both in logarithms."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for task in TASKS:
        axes.loglog(sizes, [each[task] for each in found], marker="o", label=task)
    axes.set_xlabel("pictures")
    axes.set_ylabel("seconds")
    axes.grid(visible=True, alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(PICTURE)


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--sizes", default="1000,10000,100000,1000000", help="numbers of pictures")
    found = parser.parse_args()
    sizes = [200, 400] if found.quick else [int(size) for size in found.sizes.split(",")]
    each = []
    for size in sizes:
        known = synthetic.library(found.at / f"growth-{size}", size, SPACE)
        scratch = Path(tempfile.mkdtemp(dir=found.at))
        each.append(costs(known, scratch))
        shutil.rmtree(scratch)
    rows = [
        [task, *(1000 * costs[task] for costs in each), slope(sizes, [costs[task] for costs in each])] for task in TASKS
    ]
    columns = ("milliseconds", *(f"{size:,}" for size in sizes), "slope")
    if found.write:
        draw(sizes, each)
    report.publish("growth", report.table(columns, rows), write=found.write)


if __name__ == "__main__":
    main()
