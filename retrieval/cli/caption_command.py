"""The `retrieval caption` command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library.library import Library
from ..types.results import CaptionReport, SidecarReport
from ..types.serialize import show_path, to_jsonable
from .options import DEVICE, INDEX, PATH, PRECISION, VLM_OPTIONS, json_option, option_group, settings_options
from .output import note, note_problems, plural, print_json, stopped
from .progress import progress


@dataclass(frozen=True)
class ChoiceOptions:
    """Which pictures of the library are captioned, besides those that are named."""

    everything: bool
    missing: bool


@dataclass(frozen=True)
class XmpOptions:
    """What to do with the XMP sidecars."""

    write: bool
    undo: bool


@click.command(name="caption")
@click.argument("places", nargs=-1, type=PATH)
@option_group(
    "choice",
    ChoiceOptions,
    click.option("--all", "everything", is_flag=True, help="Every picture of the library."),
    click.option("--missing", is_flag=True, help="Only pictures that have no text at all."),
)
@click.option("--set", "text", metavar="TEXT", help="Write TEXT as the caption of one picture, in place of a model's.")
@click.option("--remove", "removes", is_flag=True, help="Remove the caption that was written for one picture by hand.")
@option_group(
    "xmp",
    XmpOptions,
    click.option(
        "--write-xmp", "write", is_flag=True, help="Then write the captions into XMP files beside the pictures."
    ),
    click.option("--undo-xmp", "undo", is_flag=True, help="Make those XMP files what they were; caption nothing."),
)
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
@json_option
def command(
    places: tuple[Path, ...],
    choice: ChoiceOptions,
    text: str | None,
    removes: bool,
    xmp: XmpOptions,
    settings: Settings,
    as_json: bool,
) -> None:
    """Caption the pictures in PLACES (folders or files of the library) with a vision-language model.

    The captions are kept with the pictures and shown with them. They order hits only where `retrieval eval` has found
    that they help in this library. What people wrote is never touched.
    --write-xmp never touches a picture, nor a sidecar with a description of its own; --undo-xmp takes it all back.
    Ctrl-C is safe at any moment: the next run goes on where this one stopped.

    \b
    Examples:
      retrieval caption --all --missing
      retrieval caption ~/Pictures/2024
      retrieval caption --all --write-xmp
      retrieval caption photo.jpg --set "Grandma's kitchen, before the fire"
    """
    named = [place.expanduser() for place in places]
    if removes:
        _remove(named, settings, alone=text is None and xmp == XmpOptions(False, False), as_json=as_json)
        return
    if text is not None and (len(named) != 1 or choice.everything or choice.missing or xmp.undo):
        raise UsageError('--set writes the caption of one picture: retrieval caption photo.jpg --set "..."')
    if not named and not choice.everything:
        raise UsageError("name folders or pictures of the library, or all of it with --all")
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        if text is not None:
            library.captions.set(named[0], text)
            note(f"{show_path(named[0])}: {text}")
        chosen = None if choice.everything else named
        report, sidecars = CaptionReport(), None
        with progress(quiet=as_json) as show:
            if text is None and not xmp.undo:
                report = library.captions.generate(chosen, missing=choice.missing, progress=show)
            if (xmp.write or xmp.undo) and not report.interrupted:
                write = library.captions.undo_xmp if xmp.undo else library.captions.write_xmp
                sidecars = write(chosen, progress=show)
        pictures = [place for place in named if text is None and not place.is_dir()]
        written = library.captions.written_for(pictures) if pictures and not xmp.undo else []
    if as_json:
        told = [{"path": path, "text": each.text, "model": each.model} for path, each in written]
        print_json({**to_jsonable(report), "captions": told, **({"sidecars": sidecars} if sidecars else {})})
    for path, each in written if not as_json else ():
        click.echo(each.text if len(written) == 1 else f"{show_path(path)}: {each.text}")
    if report.model and not as_json:
        _show(report)
    if sidecars and not as_json:
        _show_sidecars(sidecars)
    if report.interrupted:
        stopped()


def _remove(named: list[Path], settings: Settings, *, alone: bool, as_json: bool) -> None:
    if len(named) != 1 or not alone:
        raise UsageError("--remove takes one picture and no other option: retrieval caption photo.jpg --remove")
    with Library.open(None, settings) as library:
        text = library.captions.remove(named[0])
    if as_json:
        print_json({"path": named[0], "removed": text})
    note(f"removed from {show_path(named[0])}: {text}")


def _show_sidecars(found: SidecarReport) -> None:
    counts = [(found.written, "written"), (found.undone, "undone"), (found.unchanged, "unchanged")]
    done = ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing to do"
    kept = f"; {found.kept} pictures keep the description they have" if found.kept else ""
    click.echo(f"sidecars: {done}{kept}")
    note_problems(found.problems)


def _show(found: CaptionReport) -> None:
    settled = f", {found.settled} needed none" if found.settled else ""
    note(f"{plural(found.captioned, 'picture')} captioned by {found.model} in {found.seconds:.1f} s{settled}")
    note_problems(found.problems)
