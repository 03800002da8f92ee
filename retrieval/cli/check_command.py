"""The `retrieval check` command."""

from __future__ import annotations

import sys

import click

from ..config import Settings
from ..library import backends
from ..types.serialize import show_path
from .options import INDEX, json_option, settings_options
from .output import note, print_json


@click.command(name="check")
@settings_options(INDEX)
@click.option("--repair", is_flag=True, help="Mend what can be mended; a damaged catalog is kept beside the saved one.")
@json_option
def command(settings: Settings, repair: bool, as_json: bool) -> None:
    """Check that the library's parts are whole and agree; the exit code is 1 when something is left to mend.

    \b
    Examples:
      retrieval check
      retrieval check --repair
    """
    note(f"library: {show_path(backends.library_path(None, settings))}")
    findings = backends.check(None, settings, repair=repair)
    if as_json:
        print_json({"findings": findings})
    else:
        for finding in findings:
            click.echo(f"{'mended' if finding.mended else 'wrong'}: {finding.what}")
        if not findings:
            click.echo("all is well")
    if any(not finding.mended for finding in findings):
        sys.exit(1)
