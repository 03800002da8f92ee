"""The `retrieval serve` command."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library.library import Library
from ..sources import absolute_path
from ..types.serialize import show_path
from .options import DEVICE, INDEX, PATH, PRECISION, VLM_OPTIONS, Size, option_group, settings_options
from .output import note


@dataclass(frozen=True)
class ListenOptions:
    """Where the server listens, and to whom it answers."""

    host: str
    port: int
    host_name: tuple[str, ...]
    origin: tuple[str, ...]
    token: bool
    root_path: str
    forwarded_allow_ips: str


@dataclass(frozen=True)
class PermissionOptions:
    """What is allowed over the network, and the server's limits."""

    root: tuple[Path, ...]
    fetch: bool
    originals: bool | None
    max_upload: int
    max_memory: int
    queue: int
    log: Path | None
    log_queries: bool
    allow_write: bool
    allow_originals: bool
    create: bool

    def named(self) -> dict[str, Path]:
        """Return the roots by name.

        Raises:
            UsageError: a root is not a folder, or two roots have the same name.
        """
        by_name: dict[str, Path] = {}
        for root in self.root:
            path = absolute_path(root.expanduser())
            if not path.is_dir():
                raise UsageError(f"--root {root}: there is no such folder")
            if path.name in by_name:
                raise UsageError(f"--root {root}: {by_name[path.name]} is called {path.name}, too")
            by_name[path.name] = path
        return by_name


@click.command(name="serve", context_settings={"auto_envvar_prefix": "RETRIEVAL_SERVE"})
@option_group(
    "at",
    ListenOptions,
    click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at."),
    click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port; 0: any."),
    click.option("--host-name", multiple=True, help="A name that the server goes by; repeatable."),
    click.option("--origin", multiple=True, help="Another site to allow, such as https://example.org."),
    click.option("--token", is_flag=True, help="Demand a token on this machine, too."),
    click.option("--root-path", metavar="PATH", default="", help="The path below which a proxy shows it: /photos."),
    click.option(
        "--forwarded-allow-ips",
        metavar="ADDRESSES",
        default="",
        help="Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, separated by commas.",
    ),
)
@option_group(
    "may",
    PermissionOptions,
    click.option("--root", multiple=True, type=PATH, help="A folder that may be indexed over HTTP."),
    click.option("--fetch", is_flag=True, help="Allow searches by a picture's web address."),
    click.option(
        "--originals/--no-originals",
        default=None,
        help="Give out the original files, not only previews.  [default: to people, not to agents]",
    ),
    click.option("--max-upload", type=Size(), default="64M", show_default=True, help="The largest upload."),
    click.option("--max-memory", type=Size(), default="0", help="Refuse new requests above this.  [default: no limit]"),
    click.option("--queue", type=click.IntRange(1), default=256, show_default=True, help="How many requests may wait."),
    click.option(
        "--log", type=PATH, help="Append the log, a JSON object a line, to a file.  [default: standard error]"
    ),
    click.option("--log-queries", is_flag=True, help="Log what is asked for, too."),
    click.option("--allow-originals", is_flag=True, hidden=True, help="The earlier name of --originals."),
    click.option("--create", is_flag=True, help="Make an empty library where there is none."),
    click.option("--allow-write", is_flag=True, help="Let agents (MCP) write captions, too."),
)
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
def command(at: ListenOptions, may: PermissionOptions, settings: Settings) -> None:
    """Serve the library: a web page at /, an HTTP API under /v1 (its reference is at /docs), MCP at /mcp.

    Without options only this machine reaches it. At any other address everyone has to show a token: the first one is
    made and shown when the server starts; `retrieval token` makes others.

    Every option can be given in the environment, too, as in RETRIEVAL_SERVE_HOST=0.0.0.0; several values of one are
    separated by spaces.

    \b
    Examples:
      retrieval serve
      retrieval serve --root ~/Pictures                 # lets the page index it
      retrieval serve --host 0.0.0.0 --host-name photos.home
      retrieval serve --host-name photos.example --forwarded-allow-ips 127.0.0.1     # behind nginx, with TLS
    """
    from ..server.admission import Load
    from ..server.api import ServerOptions, application
    from ..server.run import ListenAddress, serve
    from ..server.service import Service
    from ..server.tokens import Scope, Tokens

    if may.allow_originals:
        note("note: --allow-originals is called --originals now")
    roots = may.named()
    with (Library.create if may.create else Library.open)(None, settings) as library:
        root_path = f"/{at.root_path.strip('/')}".rstrip("/")
        place = ListenAddress(at.host, at.port, library.path, root_path, at.forwarded_allow_ips)
        tokens = Tokens.of(library.path)
        demand = at.token or not place.local
        sockets = place.listen()
        port = sockets[0].getsockname()[1]
        doors = ServerOptions(
            demand=demand,
            names=frozenset(name.lower() for name in at.host_name),
            origins=frozenset(at.origin),
            socket=str(place.socket) if len(sockets) > 1 else "",
            load=Load(body=may.max_upload, memory=may.max_memory, waiting=may.queue),
            queries=may.log_queries,
            agents_write=may.allow_write,
            agents_originals=bool(may.originals or may.allow_originals),
        )
        if len(sockets) == 1:
            note("no socket in the library's folder (another server has it, or it cannot be written)")
        if demand and not any(token.scope is Scope.ADMIN for token in tokens.all()):
            taken = {token.name for token in tokens.all()}
            name = next(each for each in ("first", *(f"first-{n}" for n in range(2, 1000))) if each not in taken)
            shown = tokens.add(name, Scope.ADMIN)
            note(f"The token {name}, which gives full access; it is shown only once:\n\n    {shown}\n")
        service = Service(library, roots, may.fetch, may.originals is not False)
        note(f"library: {show_path(library.path)} ({len(library)} files)")
        who = "everyone with a token" if demand else "this machine alone, without a token"
        note(f"serving at http://{_shown(at.host)}:{port}/ for {who}; Ctrl-C ends it")
        _start_log(may.log, may.log_queries)
        serve(application(service, tokens, doors), place, sockets, service.jobs.stop_all)
    note("stopped")


def _start_log(file: Path | None, queries: bool) -> None:
    """Begin the log; what people search for is in it only with `queries`.

    Raises:
        UsageError: the file cannot be written.
    """
    from ..server.logs import write_log

    if not queries:
        logging.getLogger("retrieval.search").setLevel(logging.WARNING)  # -v would show it
    try:
        write_log(file)
    except OSError as exc:
        raise UsageError(f"--log {file}: {exc.strerror}; name a file that can be written") from exc


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else "localhost" if host in ("127.0.0.1", "0.0.0.0") else host
