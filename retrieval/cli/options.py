"""Options that several commands share, and the values they become: `Settings` and a `View`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from ..config import load
from ..errors import SourceError, UsageError
from ..types.records import Threshold

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path, readable=False)  # what cannot be read is said where it is read
INDEX = click.option(
    "--index",
    type=PATH,
    metavar="FOLDER",
    help="The library's folder.  [default: $RETRIEVAL_INDEX, else the user's data folder]",
)
MODEL = click.option("--model", help="builtin, ARCH/TAG, ARCH/FILE, hf-hub:ORG/NAME or local-dir:PATH.")
DEVICE = click.option("--device", help="auto, cpu, cuda, cuda:N or mps.  [default: auto]")
PRECISION = click.option("--precision", help="auto, float32, bfloat16 or float16.  [default: auto, by measuring]")
BATCH_SIZE = click.option("--batch-size", type=int, help="Pictures per call of the model.  [default: 32]")
WORKERS = click.option("--workers", type=int, help="Threads that decode pictures.  [default: one a core]")


RULES = (  # which files of a folder to index, see `sources.folders.Rules`
    click.option("--include", multiple=True, metavar="GLOB", help="Only files whose name or path matches."),
    click.option("--exclude", multiple=True, metavar="GLOB", help="Skip files and folders whose name or path matches."),
    click.option("--hidden", is_flag=True, help="Hidden files and folders too."),
)


class Duration(click.ParamType[float]):
    """A parameter type for durations such as `3`, `3s`, `500ms` or `2m`."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the duration in seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)?", str(value))
        if not match or not float(match[1]):
            self.fail(f"{value!r} is not a time; write 3s, 500ms or 2m", param, ctx)
        return float(match[1]) * {"ms": 0.001, "m": 60.0}.get(match[2] or "s", 1.0)


class Size(click.ParamType[int]):
    """A parameter type for sizes in bytes such as `500000`, `64M` or `2GiB`."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the size in bytes."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?", str(value), re.IGNORECASE)
        if not match:
            self.fail(f"{value!r} is not a size; write 500000, 64M or 2G", param, ctx)
        return int(float(match[1]) * {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[match[2].upper()])


VLM = click.option(
    "--vlm",
    help="builtin, hf-hub:ORG/NAME, local-dir:PATH or endpoint:URL#MODEL (see `retrieval vlms`).  [default: builtin]",
)
VLM_FAMILY = click.option("--vlm-family", help="What kind of model it is, where its files do not say.")
VLM_CODE = click.option(
    "--vlm-code", metavar="REVISION", help="Let the repository's own Python code run, at this revision of 40 digits."
)
VLM_OPTIONS = (VLM, VLM_FAMILY, VLM_CODE)


@dataclass(frozen=True)
class ViewOptions:
    """How to show an answer."""

    as_json: bool
    paths: bool
    null: bool
    sheet: Path | None
    preview: bool

    def __post_init__(self) -> None:
        if self.sheet is not None and self.sheet.suffix.lower() not in (".html", ".htm", ".png"):
            raise UsageError(f"--sheet {self.sheet}: a contact sheet is a .html or .png file")
        if self.sheet is not None and not self.sheet.expanduser().absolute().parent.is_dir():
            raise SourceError(f"--sheet {self.sheet}: there is no such folder")

    @property
    def drawn(self) -> bool:
        """Whether pictures are drawn, which needs the library's thumbnails."""
        return self.preview or self.sheet is not None


HITS = (  # of every answer that is a list of hits
    click.option("-k", "--limit", "k", type=int, default=10, show_default=True, help="How many hits."),
    click.option(
        "--threshold",
        type=click.Choice(get_args(Threshold)),
        help="The weakest match to show; weak: nothing if nothing looks like the query; none: always all hits.  "
        "[default: weak; by date: likely]",
    ),
)
VIEW = (
    click.option("--json", "as_json", is_flag=True, help="Print JSON (documented in docs/json.md)."),
    click.option("-p", "--paths", is_flag=True, help="Print paths only, one a line."),
    click.option("-0", "--null", is_flag=True, help="Print paths only, each ended by NUL, for `xargs -0`."),
    click.option("--sheet", type=PATH, metavar="FILE", help="Write a contact sheet with scores: a .html or .png file."),
    click.option("--preview", is_flag=True, help="Show the pictures in the terminal (kitty, iTerm2, sixel)."),
)


def settings_options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds these options, as one argument `settings: Settings` of the command."""
    return option_group("settings", lambda **flags: load(None, **flags), *options)


def view_options(command: F) -> F:
    """Add `--json`, `--paths` ... to a command, as its one argument `view: ViewOptions`."""
    return option_group("view", ViewOptions, *VIEW)(command)


def json_option(command: F) -> F:
    """Add `--json` to a command whose answer is not a list of hits."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON (documented in docs/json.md).")(command)


def option_group(name: str, make: Callable[..., Any], *options: Callable[[F], F]) -> Callable[[F], F]:
    """Return a decorator that adds options, whose values reach the command as one argument made by `make`.

    One of the options may be a group itself: its argument is then one of the values.
    """

    def decorate(command: F) -> F:
        values: set[str] = set()

        @functools.wraps(command)
        def run(**given: Any) -> Any:
            parts = {key: given.pop(key) for key in list(given) if key in values}
            return command(**given, **{name: make(**parts)})

        decorated: Any = run
        for option in reversed(options):
            before = len(getattr(decorated, "__click_params__", []))
            decorated = option(decorated)
            group = getattr(option, "argument", "")
            values.update([group] if group else [each.name for each in decorated.__click_params__[before:]])
        return decorated  # type: ignore[no-any-return]  # a function like `command`

    decorate.argument = name  # type: ignore[attr-defined]  # read above
    return decorate
