"""The `retrieval open` command."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click

from ..errors import SourceError
from ..types.serialize import show_path
from . import last_answer
from .options import json_option
from .output import note, print_json

OPENERS = ("xdg-open", "wslview")


@click.command(name="open")
@click.argument("ranks", nargs=-1, required=True, type=int, metavar="RANK...")
@click.option("--folder", is_flag=True, help="Open the folder of each hit, with the file selected where that is known.")
@json_option
def command(ranks: tuple[int, ...], folder: bool, as_json: bool) -> None:
    """Open hits of the last answer, by their numbers, with the program that the system uses for such files.

    The last answer is that of your last `retrieval search` or `captions`, in any window.

    \b
    Examples:
      retrieval open 2
      retrieval open 1 3 4
      retrieval open 1 --folder
    """
    paths = last_answer.files(ranks)
    for path in paths:
        if not path.exists():
            raise SourceError(f"{show_path(path)}: no such file; `retrieval index` finds it where it was moved to")
    for path in paths:
        if not as_json:
            note(f"opens {show_path(path)}")
        _launch(path, folder=folder)
    if as_json:
        print_json({"opened": paths})


def _launch(path: Path, *, folder: bool) -> None:
    """Open a file, or its folder.

    Raises:
        SourceError: the system has no program for it.
    """
    if sys.platform in ("darwin", "win32"):
        failed = click.launch(str(path), locate=folder) != 0
    else:
        opener = next(filter(None, map(shutil.which, OPENERS)), None)
        failed = opener is None or _failed([opener, str(path.parent if folder else path)])
    if failed:
        raise SourceError(
            f"the system has no program to open {show_path(path)}; on Linux, install xdg-utils and a picture viewer"
        )


def _failed(command: list[str]) -> bool:
    """Whether a program says within two seconds that it cannot do it; one that still runs shows the file."""
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        return running.wait(timeout=2) != 0
    except subprocess.TimeoutExpired:
        return False
