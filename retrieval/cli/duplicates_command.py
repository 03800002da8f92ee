"""The `retrieval duplicates` command."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library.library import Library
from ..search.near_duplicates import ALIKE, Similarity
from ..sources import absolute_path
from ..transfer.copy_link import FileAction
from ..transfer.duplicates import DuplicateFinder, DuplicateGroup
from ..types.serialize import show_path
from .options import INDEX, PATH, json_option, option_group, settings_options
from .output import note, plural, print_json, print_rows, size
from .progress import progress

USUAL = (Similarity.COPY, Similarity.SAME, Similarity.BURST)


@dataclass(frozen=True)
class ActionOptions:
    """What to do with the duplicates."""

    hard_link: bool
    move_to: Path | None
    apply: bool
    dry_run: bool

    def kinds(self, wanted: tuple[Similarity, ...]) -> tuple[Similarity, ...]:
        """Return the kinds of similarity to search for.

        Raises:
            UsageError: the options contradict each other.
        """
        if self.hard_link and self.move_to:
            raise UsageError("give either --hard-link or --move-to, not both")
        acts = bool(self.hard_link or self.move_to)
        if (self.apply or self.dry_run) and not acts:
            raise UsageError("--apply and --dry-run go with --hard-link or --move-to")
        if self.apply and self.dry_run:
            raise UsageError("give either --apply or --dry-run, not both")
        if acts and not self.apply and not self.dry_run:
            note("note: without --apply this is a --dry-run")
        if self.hard_link and set(wanted) - {Similarity.COPY}:
            raise UsageError("--hard-link is for copies alone, whose bytes are the same: --kind copy")
        return (Similarity.COPY,) if self.hard_link else wanted or USUAL

    def done(self, finder: DuplicateFinder, groups: list[DuplicateGroup]) -> Iterator[FileAction]:
        """Link or move the duplicates, or report what would be done; yield one result per file."""
        if self.hard_link:
            return finder.link(groups, apply=self.apply)
        if self.move_to:
            return finder.move(groups, absolute_path(self.move_to.expanduser()), apply=self.apply)
        return iter(())


@click.command(name="duplicates")
@click.argument("places", nargs=-1, type=PATH)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([str(kind) for kind in Similarity]),
    multiple=True,
    help="Only pictures that are alike in this way; may be repeated.  [default: copy, same, burst]",
)
@click.option(
    "--alike",
    "least",
    type=click.FloatRange(0, 1),
    default=ALIKE,
    show_default=True,
    help="The cosine for --kind alike.",
)
@option_group(
    "act",
    ActionOptions,
    click.option("--hard-link", is_flag=True, help="Make copies hard links to the best of their group."),
    click.option(
        "--move-to", type=PATH, metavar="FOLDER", help="Move all but the best of each group into this folder."
    ),
    click.option(
        "--apply", is_flag=True, help="Do it; without --apply, --hard-link and --move-to only show what they would do."
    ),
    click.option("--dry-run", is_flag=True, help="Show what would happen; change nothing.  [default]"),
)
@click.option("--all", "everything", is_flag=True, help="Every picture of the library, as without PLACES.")
@settings_options(INDEX)
@json_option
def command(
    places: tuple[Path, ...],
    everything: bool,
    kinds: tuple[str, ...],
    least: float,
    act: ActionOptions,
    settings: Settings,
    as_json: bool,
) -> None:
    """Find pictures that are the same or nearly the same, in PLACES (folders of the library) or everywhere.

    copy: the same bytes. same: encoded again, resized, a little cropped. burst: one camera within ten seconds. alike:
    very similar to the model, however taken (only with --kind alike). The first of each group is the best: the most
    pixels, then the most bytes, then a name that is no copy's, then the older file. Nothing is ever deleted.

    \b
    Examples:
      retrieval duplicates
      retrieval duplicates --kind copy --hard-link            # what would be linked
      retrieval duplicates --kind copy --hard-link --apply
      retrieval duplicates ~/Pictures/phone --kind same --move-to ~/spare --apply
    """
    if places and everything:
        raise UsageError("give either PLACES or --all, not both")
    wanted = act.kinds(tuple(map(Similarity, kinds)))
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        with progress(quiet=as_json) as show:
            finder = replace(library.duplicates, progress=show)
            groups = finder.groups(wanted, [absolute_path(place.expanduser()) for place in places] or None, least)
        deeds = list(act.done(finder, groups))
    if as_json:
        print_json({"groups": groups, "deeds": deeds, "applied": act.apply})
    elif act.hard_link or act.move_to:
        _show_deeds(deeds, "linked" if act.hard_link else "moved", act.apply)
    else:
        _show(groups)
    if act.apply and deeds and not any(deed.done for deed in deeds):
        sys.exit(1)
    if not groups:
        note("no duplicates")
        sys.exit(1)


def _show(groups: list[DuplicateGroup]) -> None:
    rows = [
        (
            str(number),
            member.how or "best",
            f"{member.width}x{member.height}",
            size(member.bytes),
            show_path(member.path),
        )
        for number, group in enumerate(groups, start=1)
        for member in (group.keep, *group.others)
    ]
    if not rows:
        return
    print_rows(("group", "what", "pixels", "size", "path"), rows)
    others = sum(len(group.others) for group in groups)
    spare = size(sum(group.spare for group in groups))
    note(f"{plural(len(groups), 'group')}; {plural(others, 'picture')} besides the best take up {spare}")


def _show_deeds(deeds: list[FileAction], what: str, apply: bool) -> None:
    rows = [
        (show_path(deed.path), show_path(deed.to), f"left alone: {deed.reason}" if deed.reason else "")
        for deed in deeds
    ]
    if rows:
        print_rows(("path", "to", "remark"), rows)
    if apply:
        note(f"{sum(deed.done for deed in deeds)} of {len(deeds)} done")
    else:
        note(f"{sum(not deed.reason for deed in deeds)} would be {what}; nothing was changed, --apply does it")
