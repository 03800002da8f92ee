"""The `retrieval mcp` command."""

from __future__ import annotations

import click

from ..config import Settings
from ..library.library import Library
from .options import DEVICE, INDEX, PRECISION, VLM_OPTIONS, settings_options


@click.command(name="mcp")
@click.option("--allow-write", is_flag=True, help="Let the agent write captions and save searches.")
@click.option("--originals/--no-originals", help="Give out the original files, not only previews.  [default: previews]")
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
def command(allow_write: bool, originals: bool, settings: Settings) -> None:
    """Serve the library to an agent over standard input and output, by the Model Context Protocol.

    Agents start this themselves; give them the command. `retrieval serve` offers the same at /mcp.

    \b
    Examples:
      claude mcp add photos -- retrieval mcp --index ~/photos-library
      retrieval mcp --allow-write
    """
    from ..server.mcp_tools import McpTools
    from ..server.service import Service

    with Library.open(None, settings) as library:
        service = Service(library)
        try:
            McpTools(service, allow_write, originals).server().run("stdio")
        finally:
            service.close()
