"""Shows an answer in the form that the options of `search` and `captions` ask for."""

from __future__ import annotations

import sys

from ..library.library import Library
from ..types.records import Answer
from ..types.serialize import show_path
from . import last_answer
from .answer_lines import print_hits
from .options import ViewOptions
from .output import note, print_json, print_notes, print_paths


def show(library: Library | None, answer: Answer, view: ViewOptions, *, empty: bool = True) -> None:
    """Print an answer, draw its thumbnails, write its contact sheet; exit with code 1 if there is no hit (`empty`).

    Thumbnails come from `library`; without it, nothing is drawn.
    """
    if view.as_json:
        print_json(answer)
    elif view.paths or view.null:
        print_paths([hit.path for hit in answer.hits if hit.path is not None], null=view.null)
    else:
        print_hits(answer)
        print_notes(answer)
    last_answer.keep(answer)
    if library is not None and view.drawn:
        thumbnails = library.thumbnails([hit.content for hit in answer.hits])
        if view.preview:
            from .preview import preview

            preview(answer, thumbnails)
        if view.sheet:
            from .contact_sheet import write

            write(answer, thumbnails, view.sheet)
            note(f"contact sheet: {show_path(view.sheet)}")
    if not answer.hits and empty:
        sys.exit(1)
