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
@click.option("--remove", is_flag=True, help="Remove NAME, a saved search or a taught word.")
@click.option("--forget", is_flag=True, hidden=True, help="The earlier name of --remove.")
@click.option("--list", "listed", is_flag=True, help="List what is saved, as without NAME.")
@settings_options(INDEX)
@json_option
def command(
    name: str | None,
    query: str | None,
    remove: bool,
    forget: bool,
    listed: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Keep QUERY as @NAME, which stands for it in any other query; without QUERY, list what is saved.

    \b
    Examples:
      retrieval save best 'rating:>=4 -type:video'
      retrieval search "@best a dog"
      retrieval save                                # what there is
      retrieval save best --remove
    """
    if forget:
        note("note: --forget is called --remove now")
    remove = remove or forget
    if query is not None and remove:
        raise click.UsageError("--remove takes a name only, and no query")
    if remove and name is None:
        raise click.UsageError("say which name to remove")
    if listed and name is not None:
        raise click.UsageError("--list takes no name")
    with Library.open(None, settings) as library:
        note(f"library: {show_path(library.path)}")
        if name is not None and remove:
            library.saved.forget(name)
            note(f"@{name.removeprefix('@')} is removed")
            if as_json:
                print_json({"removed": name.removeprefix("@")})
        elif name is not None and query is not None:
            library.saved.save(name, query)
            plain = name.removeprefix("@")
            note(f"saved as @{plain}")
            if as_json:
                print_json({"saved": [{"name": plain, "query": library.saved.saved()[plain]}]})
        else:
            searches = library.saved.saved()
            if name is not None:
                searches = {each: text for each, text in searches.items() if each == name.removeprefix("@")}
            if as_json:
                print_json({"saved": [{"name": each, "query": text} for each, text in searches.items()]})
            else:
                print_rows(("name", "query"), [(f"@{each}", text) for each, text in searches.items()])
