"""Records what the command line and the HTTP API answer on a fixed small library, and compares two records.

    python -m tests.behaviour record FILE [--model builtin]
    python -m tests.behaviour compare BEFORE AFTER

`tests/behaviour.json` is the record of the colour encoder; `test_behaviour.py` compares with it. With `--model builtin`
the library is the sample photos of scikit-image and what is asked of it in words; its record is compared by hand,
before and after a change, on one machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from PIL import Image, ImageDraw

from tests.serving import serving

Record: TypeAlias = dict[str, Any]  # a call's name -> what it answered

GOLDEN = Path(__file__).with_name("behaviour.json")
TIME = 1_700_000_000  # of every file, in seconds since 1970
MOVING = {  # what no two runs have in common
    "seconds", "bytes", "cursor", "digest", "uptime", "since", "pid", "started", "ended", "mtime", "version", "memory",
    "finished", "address", "created",
}  # fmt: skip
DIGITS = 4  # of numbers that are compared

COLOURS = {
    "queries": ["red", "a lime wall", "red OR blue", "yellow -red", "2:red blue", "nonsense words", "sunset"],
    "example": "photos/red.jpg",
    "item": 3,
    "labels": "red,lime,blue",
    "classify": "red",
}
BUILTIN = {
    "queries": ["a cat", "coffee OR rocket", "a man -camera", "2:space suit", "xqzzy wvk", "a wall", "cup of coffee"],
    "example": "photos/chelsea.png",
    "item": 3,
    "labels": "cat,rocket,cup of coffee",
    "classify": "cat",
}


def search_calls(topic: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Every way to search, by the command line."""
    for query in topic["queries"]:
        yield "search", query, "--json"
    first = topic["queries"][0]
    for threshold in ("strong", "likely", "none"):
        yield "search", first, "--threshold", threshold, "--json"
    yield "search", first, "-k", "3", "--json"
    yield "search", first, "--no-fold", "--json"
    yield "search", first, "--sort", "date", "--json"
    yield "search", first, "--diverse", "-k", "4", "--json"
    yield "search", first, "--facets", "--json"
    yield "search", first, "--within", "sub/*", "--threshold", "none", "--json"
    yield "search", first, "--page", "1", "-k", "3", "--threshold", "none", "--json"
    yield "search", first, "--page", "2", "-k", "3", "--threshold", "none", "--json"
    yield "search", "--image", topic["example"], "--json"
    yield "search", "--item", str(topic["item"]), "--json"
    yield "search", topic["queries"][1], "--image", topic["example"], "--json"
    for query in (
        "camera:canon", "rating:>=4", "since:2023", "near:Bern~50km", "type:png", "has:caption", "caption:door",
        "keyword:beach", "path:sub/*", "width:>100", f"{first} until:2022", f"{first} -has:gps", "type:video", "2021",
    ):  # fmt: skip
        yield "search", query, "--json"
    yield "search", "camra:canon", "--json"
    yield "search", "", "--json"
    yield "search", first, "-k", "0", "--json"
    yield "search", first, "--rerank", "--json"
    yield "search", first, "--rerank", "--anyway", "--depth", "4", "--json"
    yield "search", f"{first} without people", "--rerank", "--anyway", "--json"
    yield "search", f"@fine {first}", "--json"
    yield "search", "@warm", "--json"
    yield "search", first, "--paths"


def other_calls(topic: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """What else the command line is asked."""
    first, example = topic["queries"][0], topic["example"]
    yield "why", first, "1", "--json"
    yield "why", f"{first} type:jpeg", "1", "--json"
    yield "why", topic["queries"][1], "2", "--json"
    yield "why", first, "99", "--json"
    yield "why-not", first, "photos/sub/tiny.png", "--json"
    yield "why-not", first, example, "--json"
    yield "why-not", f"{first} rating:>=5", example, "--json"
    yield "why-not", first, "photos/broken.jpg", "--json"
    yield "why-not", first, "photos/absent.jpg", "--json"
    yield "why-not", first, "photos/notes.md", "--json"
    yield "captions", example, "--json"
    yield "captions", example, "-k", "2", "--threshold", "none", "--json"
    yield "captions", example, "--generate", "--json"
    yield "classify", "--labels", topic["labels"], "--all", "--json"
    yield "classify", "--labels", topic["labels"], "--judge", "photos/sub", "--json"
    yield "duplicates", "--json"
    yield "duplicates", "photos/sub", "--json"
    yield "status", "--json"
    yield "status", "--problems", "--json"
    yield "check", "--json"
    yield "eval", "captions.csv", "--images", "photos", "--json", "-q"
    yield "ground", example, topic["classify"], "--json"
    yield "ask", example, f"is it {topic['classify']}?", "--json"
    yield "save", "--json"
    yield "teach", "--json"
    yield "token", "list", "--json"


def changing_calls() -> Iterator[tuple[str, ...]]:
    """What changes the library, or writes files, in order; asked last."""
    yield "index", "photos", "--dry-run", "--json"
    yield "index", "photos", "--json"
    yield "caption", "photos/sub", "--json", "-q"
    yield "caption", "photos/sub/tiny.png", "--set", "a very small thing", "--json"
    yield "search", "very small thing", "--json"
    yield "export", "out", "--format", "csv", "--json"
    yield "export", "npy", "--format", "npy", "--json"
    yield "import", "npy", "--images", "photos", "--index", "other", "--json"
    yield "remove", "photos/sub", "--json"
    yield "remove", "photos/nowhere", "--json"
    yield "status", "--json"
    yield "search", "@fine", "--json"
    yield "save", "fine", "--forget", "--json"
    yield "check", "--json"


def http_calls(topic: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, address and what is sent."""
    first, item = topic["queries"][0], topic["item"]
    for query in topic["queries"][:4]:
        yield "GET", "/v1/search", {"params": {"q": query, "facets": True}}
    for options in (
        {"order": "date"}, {"order": "diverse", "k": 3}, {"fold": False}, {"threshold": "none", "k": 2, "page": 2},
        {"item": item}, {"rerank": True, "anyway": True, "depth": 3}, {"rerank": True, "page": 1}, {"wrong": 1},
        {"rerank": True, "order": "date"},
    ):  # fmt: skip
        yield "GET", "/v1/search", {"params": {"q": first, **options}}
    yield "GET", "/v1/understand", {"params": {"q": f"{first} summer 2022 -people camera:canon"}}
    yield "GET", "/v1/understand", {"params": {"q": "camra:canon"}}
    yield "GET", "/v1/language", {}
    yield "GET", "/v1/facets", {"params": {"q": first}}
    yield "GET", "/v1/facets", {"params": {}}
    yield "GET", "/v1/why", {"params": {"q": first, "item": item}}
    yield "GET", "/v1/why-not", {"params": {"q": f"{first} rating:5", "item": item}}
    yield "POST", "/v1/captions", {"params": {"item": item, "threshold": "none"}}
    yield "GET", "/v1/texts", {"params": {"q": first}}
    yield "GET", "/v1/items", {"params": {"count": 3}}
    yield "GET", f"/v1/items/{item}", {}
    yield "GET", "/v1/items/999", {}
    yield "GET", f"/v1/items/{item}/similar", {"params": {"k": 3}}
    yield "GET", "/v1/timeline", {}
    yield "GET", "/v1/map", {}
    yield "GET", "/v1/names", {}
    yield "GET", "/v1/status", {}
    yield "GET", "/v1/problems", {}
    yield "GET", "/v1/models", {}
    yield "GET", "/v1/duplicates", {}
    yield "PUT", f"/v1/items/{item}/caption", {"json": {"text": "written over HTTP"}}
    yield "POST", "/v1/ask", {"data": {"question": "is it red?", "items": [item]}}
    yield "GET", "/v1/nowhere", {}


# --- the library ---------------------------------------------------------------------------------------------


def drawn(folder: Path) -> None:
    """Pictures of plain colours, with facts, copies, a film, text beside them, and files that cannot be used."""
    for name in ("red.jpg", "lime.png", "blue.webp", "yellow.bmp", "sub/red2.png", "sub/tiny.png", "fuchsia.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = {"red2": "#f01008", "tiny": "navy"}.get(path.stem, path.stem)
        image = Image.new("RGB", (16, 12) if "tiny" in name else (160, 120), colour)
        ImageDraw.Draw(image).rectangle((4, 4, 9, 9), "white")
        exif = Image.Exif()
        if path.suffix == ".jpg":
            exif[0x010F], exif[0x0110] = "Canon", "EOS R5"
            exif.get_ifd(0x8769)[0x9003] = f"202{len(path.stem) - 2}:06:0{len(path.stem)} 10:30:00"
            exif.get_ifd(0x8825).update({1: "N", 2: (46.0, 57.0, 0.0), 3: "E", 4: (7.0, 27.0, 0.0)})
            exif[0x4746] = len(path.stem)
        image.save(path, exif=exif) if path.suffix == ".jpg" else image.save(path)
    (folder / "copy").mkdir()
    (folder / "copy" / "red.jpg").write_bytes((folder / "red.jpg").read_bytes())
    texture(folder)


def texture(folder: Path) -> None:
    """Two pictures that are nearly the same, and what is no picture."""
    image = Image.radial_gradient("L").resize((320, 240)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for place in range(12):
        draw.ellipse((place * 26, (place * 67) % 200, place * 26 + 30, (place * 67) % 200 + 34), (20 * place, 90, 160))
    image.save(folder / "balls.png")
    image.resize((240, 180)).save(folder / "sub" / "balls-small.jpg", quality=80)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.md").write_text("no picture")
    (folder / "lime.txt").write_text("a lime wall in the sun")


def sampled(folder: Path) -> None:
    """The sample photos of scikit-image, with what `drawn` makes beside them."""
    import skimage

    drawn(folder)
    for path in sorted((Path(skimage.__file__).parent / "data").iterdir()):
        if path.suffix in {".png", ".jpg"}:
            (folder / path.name).write_bytes(path.read_bytes())


CAPTIONS = "image,caption\nred.jpg,a red door\nblue.webp,the blue sea\nblue.webp,water without end\nnone.jpg,lost\n"


def made(root: Path, model: str) -> dict[str, Any]:
    """The library's pictures and texts in `root`; what is asked about them."""
    folder = root / "photos"
    folder.mkdir()
    (drawn if model == "colours" else sampled)(folder)
    (root / "captions.csv").write_text(CAPTIONS)
    if model != "colours":
        more = (Path(__file__).parent.parent / "scripts" / "demo.csv").read_text().partition("\n")[2]
        (root / "captions.csv").write_text(CAPTIONS + more)
    for path in [*folder.rglob("*"), root / "captions.csv"]:
        os.utime(path, (TIME, TIME))
    return COLOURS if model == "colours" else BUILTIN


# --- asking --------------------------------------------------------------------------------------------------


class Caller:
    """Calls the command line in this process, in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *arguments: str) -> dict[str, Any]:
        """The exit code, and standard output (as JSON where it is)."""
        from retrieval.cli import main

        out, errors = io.BytesIO(), io.BytesIO()
        before = (sys.argv, sys.stdout, sys.stderr)
        sys.argv = ["retrieval", *arguments]
        sys.stdout, sys.stderr = io.TextIOWrapper(out, "utf-8"), io.TextIOWrapper(errors, "utf-8")
        code = 0
        try:
            main()
        except SystemExit as exc:
            code = int(exc.code or 0)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            texts = out.getvalue().decode(), errors.getvalue().decode()  # now: the wrappers close what they wrap
            sys.argv, sys.stdout, sys.stderr = before
        found = {"code": code, "out": _told(texts[0])}
        told = "".join(line for line in texts[1].splitlines(keepends=True) if not line.startswith("library: "))
        return {**found, "error": told} if code > 1 else found


def _told(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.splitlines()


def settled(value: Any, root: Path) -> Any:
    """A value without what no two runs have in common: the folder, times, the last digits of numbers."""
    if isinstance(value, dict):
        return {
            _path(key, root): "..." if key in MOVING and entry is not None else settled(entry, root)
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [settled(entry, root) for entry in value]
    if isinstance(value, float):
        return round(value, DIGITS) + 0.0
    return _path(value, root) if isinstance(value, str) else value


def _path(text: str, root: Path) -> str:
    text = text.replace(str(root.resolve()), "ROOT").replace(str(root), "ROOT")
    return re.sub(r"\d+(\.\d+)? ?s\b", "N s", text)


@contextmanager
def world(root: Path, model: str) -> Iterator[None]:
    """The environment of a run: its own settings, library and caches."""
    own = {
        "RETRIEVAL_CONFIG": str(root / "config.toml"),
        "RETRIEVAL_MODEL": model,
        "RETRIEVAL_VLM": "colours" if model == "colours" else "builtin",
        "RETRIEVAL_INDEX": str(root / "library"),
        "XDG_DATA_HOME": str(root / "data"),
        "XDG_CACHE_HOME": str(root / "cache"),
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "100",
    }
    before, here = dict(os.environ), Path.cwd()
    os.environ.update(own)
    os.chdir(root)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def record(root: Path, model: str = "colours") -> Record:
    """What every call answers on a library that is made in the empty folder `root`."""
    topic = made(root, model)
    call, found = Caller(root), Record()
    first = topic["queries"][0]
    with world(root, model):
        calls: list[Sequence[str]] = [
            ("index", "photos", "--captions", "captions.csv", "--images", "photos", "--json"),
            ("save", "fine", "rating:>=3", "--json"),
            ("teach", "warm", "--yes", "photos/red.jpg", "--no", "photos/blue.webp", "--json"),
            *search_calls(topic),
            *other_calls(topic),
        ]
        for arguments in calls:
            found[_key(found, " ".join(arguments))] = settled(call(*arguments), root)
        with serving(root / "library") as server, server.client() as client:
            for method, address, sent in http_calls(topic):
                answer = client.request(method, address, **sent)
                name = _key(found, f"{method} {address} {json.dumps(sent, sort_keys=True)}")
                found[name] = {"status": answer.status_code, "body": settled(_told(answer.text), root)}
            found["search through the server"] = settled(call("search", first, "--facets", "--json"), root)
        for arguments in changing_calls():
            found[_key(found, " ".join(arguments))] = settled(call(*arguments), root)
    return found


def _key(found: Record, name: str) -> str:
    return name if name not in found else f"{name} (again {sum(key.startswith(name) for key in found)})"


def differences(before: Record, after: Record) -> list[str]:
    """The calls that answer otherwise, each with both answers."""
    names = dict.fromkeys((*before, *after))
    return [
        f"{name}\n  before: {_short(before.get(name))}\n  after:  {_short(after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:3000]


def main() -> None:
    """The command line of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["record", "compare"])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--model", default="colours", choices=["colours", "builtin"])
    given = parser.parse_args()
    if given.task == "record":
        with TemporaryDirectory() as folder:
            found = record(Path(folder), given.model)
        given.files[0].write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{len(found)} calls recorded in {given.files[0]}")
        return
    before, after = (json.loads(file.read_text(encoding="utf-8")) for file in given.files)
    told = differences(before, after)
    print("\n".join(told))
    print(f"{len(before) - len(told)} of {len(before)} answers are the same")
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
