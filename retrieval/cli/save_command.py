"""The `retrieval save` command."""

from __future__ import annotations

import click

from ..config import Settings
from ..library.library import Library
from ..types.serialize import show_path
from .options import INDEX, json_option, settings_options
from .output import note, print_json, print_rows


@click.command(name="save")
@click.argument("name", required=False)
@click.argument("query", required=False)
@click.option("--forget", is_flag=True, help="Forget NAME, a saved search or a taught word.")
@settings_options(INDEX)
@json_option
def command(name: str | None, query: str | None, forget: bool, settings: Settings, as_json: bool) -> None:
    """Keep QUERY as @NAME, which stands for it in any other query; without QUERY, list what is saved.

    \b
    Examples:
      retrieval save best 'rating:>=4 -type:video'
      retrieval search "@best a dog"
      retrieval save                                # what there is
      retrieval save best --forget
    """
    if query is not None and forget:
        raise click.UsageError("--forget takes a name only, and no query")
    if forget and name is None:
        raise click.UsageError("say which name to forget")
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        if name is not None and forget:
            library.saved.forget(name)
            note(f"@{name.removeprefix('@')} is forgotten")
        elif name is not None and query is not None:
            library.saved.save(name, query)
            plain = name.removeprefix("@")
            note(f"saved as @{plain}")
            if as_json:
                print_json({plain: library.saved.saved()[plain]})
        else:
            searches = library.saved.saved()
            if name is not None:
                searches = {each: text for each, text in searches.items() if each == name.removeprefix("@")}
            if as_json:
                print_json(searches)
            else:
                print_rows(("name", "query"), [(f"@{each}", text) for each, text in searches.items()])
