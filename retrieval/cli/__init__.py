"""The command line: parses arguments, calls the library, prints results. Each command is a module, imported on use."""

from __future__ import annotations

import difflib
import errno
import gc
import os
import shlex
import sys
import time
import warnings
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper, UnsupportedOperation
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import RetrievalError, SourceError, StorageFull
from .verbosity import quiet_option, verbose_option

COMMANDS = {  # name -> first line of its help, so that `--help` imports nothing
    "index": "Index folders of pictures and caption files.",
    "watch": "Index folders, then whatever changes in them.",
    "search": "Find pictures by words or by example.",
    "why": "Explain why a picture is a hit.",
    "why-not": "Explain why a picture is not a hit, and what would make it one.",
    "open": "Open hits of the last answer, by their numbers.",
    "captions": "Find the library's texts that fit a picture.",
    "caption": "Caption pictures with a vision-language model.",
    "ocr": "Read the text in pictures.",
    "classify": "Say which of several labels fits each picture best.",
    "ask": "Ask a vision-language model about pictures.",
    "chat": "Talk with a vision-language model about pictures.",
    "ground": "Find where a picture shows something.",
    "save": "Save a search under a name, for use in other searches.",
    "teach": "Teach a word with example pictures.",
    "export": "Write the library for other programs: embeddings, tables, archives.",
    "import": "Read embeddings or archives of other programs.",
    "duplicates": "Find pictures that are the same or nearly the same; link or move them.",
    "status": "Show what the library holds.",
    "remove": "Forget files or folders (the files stay).",
    "relocate": "Say that a folder of the library has another path now.",
    "models": "List models, or fetch one.",
    "vlms": "List vision-language models, or fetch one.",
    "serve": "Serve the library: web page, HTTP API, MCP.",
    "mcp": "Serve the library to an agent, by the Model Context Protocol.",
    "token": "Manage the tokens that give access to a server.",
    "eval": "Measure a model on a caption file.",
    "check": "Check that the library is consistent, and repair it.",
}

OUTPUT_ERRORS = (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EDQUOT, errno.EFBIG)
STOPPED = 130  # exit code after Ctrl-C
EPILOG = """
\b
First steps:
  retrieval index ~/Pictures
  retrieval search "a dog on the beach"
  retrieval search --image dog.jpg
\b
Exit codes:
  0 done   1 nothing found, or `check` found something   2 wrong usage
  3 library   4 model   5 input file or folder   6 disk full or no output   130 Ctrl-C
\b
Shell completion (bash; zsh and fish alike):
  eval "$(_RETRIEVAL_COMPLETE=bash_source retrieval)"
"""


class ReaderGone(Exception):
    """The program that reads the output has ended, as `head` does."""


class Commands(click.Group):
    """A click group that knows its commands' names and help lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's
        """Return the commands' names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        """Import and return a command; None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name.replace('-', '_')}_command", __name__).command
        if not any("--verbose" in param.opts for param in command.params):
            command.params += [quiet_option(), verbose_option()]
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; that the reader of the output has gone is not for click, which would call it a failure."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            raise ReaderGone from exc

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the arguments name; what looks like one is suggested."""
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        near = difflib.get_close_matches(name, COMMANDS, 1, 0.6)
        hint = f"perhaps `retrieval {near[0]}`?" if near else f"to search: retrieval search {shlex.join(args)}"
        raise click.UsageError(f"there is no command {name!r}; {hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        """Write the help lines from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="retrieval")
def cli() -> None:
    """Search your photos by words or by example, and find captions for a picture: offline, on your machine."""
    click.get_current_context().meta["started"] = time.monotonic()


cli.params += [quiet_option(), verbose_option()]


def program() -> None:
    """Run the command line as a process of its own, with rare garbage collection: most objects live until it ends."""
    gc.set_threshold(100_000)
    try:
        main()
    except SystemExit as exc:
        if exc.code == STOPPED:  # Ctrl-C: threads that still read or compute are not waited for
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(STOPPED)
        raise
    finally:
        if "torch" not in sys.modules:  # torch complains about objects that are left at exit
            gc.freeze()


def main() -> None:
    """Run the command line; an error becomes one line and an exit code."""
    warnings.filterwarnings("ignore")  # users get errors and notes; warnings of libraries are for developers
    _prepare_output()
    try:
        cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as exc:
        exc.show()
        if isinstance(exc, click.NoSuchOption) and "search" in sys.argv[1:2]:
            click.echo(
                'Words that begin with a minus stand behind "--": retrieval search -k 3 -- -people beach', err=True
            )
        _fail(type(exc).__name__, exc.format_message(), exc.exit_code)
    except RetrievalError as exc:
        click.echo(f"retrieval: {exc}", err=True)
        _fail(type(exc).__name__, str(exc), exc.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("retrieval: stopped", err=True)
        sys.exit(STOPPED)
    except (ReaderGone, BrokenPipeError):
        _discard_output()  # the reader of the output has gone, so nobody would see a message
        sys.exit(0)
    except OSError as exc:  # those of files are translated where they are read: this one is most likely of the output
        if exc.errno not in OUTPUT_ERRORS and not isinstance(exc, UnsupportedOperation):
            click.echo(f"retrieval: {exc}", err=True)
            sys.exit(SourceError.exit_code)
        why = "it is closed" if isinstance(exc, UnsupportedOperation) else exc.strerror or exc
        click.echo(f"retrieval: cannot write the output: {why}", err=True)
        _discard_output()
        sys.exit(StorageFull.exit_code)


def _fail(kind: str, message: str, code: int) -> NoReturn:
    """Exit after an error; with --json it is also the answer, as one object."""
    if "--json" in sys.argv[1:]:
        from ..types.serialize import dumps

        click.echo(dumps({"error": {"type": kind, "message": message, "exit_code": code}}))
    sys.exit(code)


def _prepare_output() -> None:
    """Make sure that every name can be printed, and that output which is closed is an error when it is written."""
    if sys.stdout is None:  # closed by `>&-`
        sys.stdout = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115  # not open for writing; for good
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # for good
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Let what is still to be written go nowhere, so that the end of the program does not try again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
