"""The `retrieval token` commands: add, list, remove."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library import backends
from ..sources import absolute_path
from ..types.serialize import show_path
from .options import INDEX, PATH, json_option, settings_options
from .output import note, print_json, print_rows


@click.group(name="token")
def command() -> None:
    """Manage access to a server: create tokens, list them, remove them.

    \b
    Examples:
      retrieval token add phone
      retrieval token add grandma --folder ~/Pictures/family
      retrieval token list
      retrieval token remove phone
    """


@command.command(name="add")
@click.argument("name")
@click.option(
    "--scope", type=click.Choice(["read", "write", "admin"]), default="read", show_default=True, help="What it may do."
)
@click.option("--folder", type=PATH, help="Let it see what lies in this folder only.")
@settings_options(INDEX)
def add(name: str, scope: str, folder: Path | None, settings: Settings) -> None:
    """Create a token; it is shown only once."""
    from ..server.tokens import Scope, Tokens

    limit = absolute_path(folder.expanduser()) if folder else None
    if limit is not None and not limit.is_dir():
        raise UsageError(f"--folder {folder}: there is no such folder")
    click.echo(Tokens.of(_library(settings)).add(name, Scope[scope.upper()], limit))
    note("Keep it: only a hash of it is stored.")


@command.command(name="list")
@settings_options(INDEX)
@json_option
def list_command(settings: Settings, as_json: bool) -> None:
    """List tokens by name; they themselves are not stored."""
    from ..server.tokens import Tokens

    tokens = Tokens.of(_library(settings)).all()
    rows = [
        {"name": token.name, "scope": token.scope.name.lower(), "folder": token.folder, "made_at": token.made_at}
        for token in tokens
    ]
    if as_json:
        print_json({"tokens": rows})
        return
    lines = [
        [token.name, token.scope.name.lower(), show_path(token.folder) if token.folder else "", token.made_at]
        for token in tokens
    ]
    print_rows(["name", "scope", "folder", "made"], lines)


@command.command(name="remove")
@click.argument("name")
@settings_options(INDEX)
def remove(name: str, settings: Settings) -> None:
    """Remove a token; a running server refuses it from now on."""
    from ..server.tokens import Tokens

    Tokens.of(_library(settings)).remove(name)
    note(f"token {name} is gone")


def _library(settings: Settings) -> Path:
    from ..library.library import Library

    with Library.open(None, settings, read_only=True):
        return backends.library_path(None, settings)
