"""The `retrieval teach` command."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import Settings
from ..library.library import Library
from ..types.serialize import show_path
from .options import INDEX, PATH, json_option, settings_options
from .output import note, print_json, print_rows


class SpreadOptions(click.Command):
    """A command whose repeated options may be given once, with several values: `--yes a b` is `--yes a --yes b`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the flag before each of its values, up to the next flag."""
        many = {flag for option in self.params if getattr(option, "multiple", False) for flag in option.opts}
        spread: list[str] = []
        flag = ""
        for place, arg in enumerate(args):
            if arg.startswith("-") and len(arg) > 1:
                flag = arg if arg in many else ""
            elif flag and args[place - 1] != flag:
                spread.append(flag)
            spread.append(arg)
        return super().parse_args(ctx, spread)


@click.command(name="teach", cls=SpreadOptions)
@click.argument("name", required=False)
@click.option("--yes", type=PATH, multiple=True, help="Pictures of the library that show what the word means.")
@click.option("--no", type=PATH, multiple=True, help="Pictures that do not show it, such as wrong hits.")
@settings_options(INDEX)
@json_option
def command(name: str | None, yes: tuple[Path, ...], no: tuple[Path, ...], settings: Settings, as_json: bool) -> None:
    """Teach a word with example pictures: @NAME finds what is like --yes and unlike --no, in any query.

    More pictures can be added at any time; if a picture is given again, the new answer counts. Without
    pictures, the taught words are listed. `retrieval save NAME --remove` removes one.

    \b
    Examples:
      retrieval teach @grandmas-kitchen --yes a.jpg b.jpg --no c.jpg
      retrieval search "@grandmas-kitchen at night since:2020"
      retrieval teach
    """
    if (yes or no) and name is None:
        raise click.UsageError("say which word the pictures teach: retrieval teach @NAME --yes ...")
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        if name is not None and (yes or no):
            library.saved.teach(name, [path.expanduser() for path in yes], [path.expanduser() for path in no])
        found = {each: counts for each, counts in library.saved.taught().items() if name in (None, each, f"@{each}")}
    if as_json:
        print_json({"taught": [{"name": each, "yes": a, "no": b} for each, (a, b) in found.items()]})
    else:
        print_rows(("name", "yes", "no"), [(f"@{each}", str(a), str(b)) for each, (a, b) in found.items()])
