"""The `retrieval chat` command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ..config import Settings
from ..errors import RetrievalError, UsageError
from ..library import backends
from ..types.serialize import to_jsonable
from .options import DEVICE, PATH, PRECISION, VLM_OPTIONS, json_option, settings_options
from .output import note


@click.command(name="chat")
@click.argument("images", nargs=-1, required=True, type=PATH, metavar="IMAGE...")
@click.option("--system", default="", metavar="TEXT", help="What the model is told before the conversation.")
@settings_options(DEVICE, PRECISION, *VLM_OPTIONS)
@json_option
def command(images: tuple[Path, ...], system: str, settings: Settings, as_json: bool) -> None:
    """Talk with a vision-language model about one or more pictures or videos.

    Every line is a question, with all that was said before. Ctrl-D ends the conversation. In a pipe, the lines of
    standard input are asked one after the other; --json prints an object a line.

    \b
    Examples:
      retrieval chat kitchen.jpg --vlm endpoint:http://localhost:8000/v1#qwen3-vl
      printf 'what is on the table?\\nand what colour is it?\\n' | retrieval chat kitchen.jpg
    """
    from ..vlm import Ability
    from ..vlm.conversation import Conversation
    from ..vlm.messages import VideoPart

    shown = [backends.part(path.expanduser(), settings) for path in images]
    model = backends.vlm(settings)
    if Ability.CHAT not in model.abilities:
        raise UsageError(
            f"{model.name} does not hold conversations; ask it with `retrieval ask`, or name another --vlm"
        )
    if any(isinstance(part, VideoPart) for part in shown) and Ability.VIDEO not in model.abilities:
        raise UsageError(f"{model.name} reads no videos; name another --vlm (see `retrieval vlms`)")
    conversation = Conversation(model, shown, system)
    for question in _questions():
        try:
            answer = conversation.ask(question)
        except RetrievalError as exc:
            if not sys.stdin.isatty():
                raise
            note(f"retrieval: {exc}")  # the conversation goes on
            continue
        click.echo(
            json.dumps(to_jsonable({"question": question, "answer": answer}), ensure_ascii=False) if as_json else answer
        )


def _questions() -> Iterator[str]:
    """Yield questions: lines that a person types at a prompt, or the lines of standard input."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    import readline  # noqa: F401  # gives `input` its history and editing

    note("Ctrl-D ends the conversation.")
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            return
        if line:
            yield line
