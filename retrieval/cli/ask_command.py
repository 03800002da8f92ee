"""The `retrieval ask` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config import Settings
from ..errors import PictureError, UsageError
from ..library import backends
from ..library.library import Library
from ..types.serialize import show_path
from ..vlm import Ability
from ..vlm.messages import ImagePart
from .options import DEVICE, INDEX, PRECISION, VLM_OPTIONS, json_option, settings_options
from .output import note, print_json

if TYPE_CHECKING:
    from ..vlm import VisionLanguageModel
    from ..vlm.messages import Part


@click.command(name="ask")
@click.argument("words", nargs=-1, required=True, metavar="[IMAGE]... QUESTION")
@click.option("--search", metavar="TEXT", help="Ask about the pictures of the library that fit TEXT best.")
@click.option(
    "-k", "--limit", "k", type=int, default=5, show_default=True, help="How many pictures of --search are asked about."
)
@click.option("--together", is_flag=True, help="One answer on all pictures, in their order.")
@settings_options(INDEX, DEVICE, PRECISION, *VLM_OPTIONS)
@json_option
def command(
    words: tuple[str, ...], search: str | None, k: int, together: bool, settings: Settings, as_json: bool
) -> None:
    """Ask a vision-language model a QUESTION about each IMAGE or video, or about the best hits of a search.

    \b
    Examples:
      retrieval ask cat.jpg "is the cat asleep?"
      retrieval ask cat.jpg "what is the cat looking at?" --vlm hf-hub:HuggingFaceTB/SmolVLM2-256M-Video-Instruct
      retrieval ask before.jpg after.jpg "what has changed?" --together
      retrieval ask --search "receipts" "what was the total?"
    """
    from ..vlm import messages

    question = words[-1]
    named: list[tuple[Path, float | None]] = [(Path(word).expanduser(), None) for word in words[:-1]]
    if search is None and not named:
        raise UsageError(
            'name a picture before the question (`retrieval ask cat.jpg "what is this?"`), or use --search'
        )
    if not question.strip():
        raise UsageError("the question is empty")
    if search is not None:
        with Library.open(None, settings) as library:
            note(f"library: {show_path(library.path)}")
            named += [(hit.path, hit.second) for hit in library.search(search, k=k).hits if hit.path is not None]
    model = backends.vlm(settings)
    pictures = []
    for path, second in named:
        try:
            pictures.append((path, backends.part(path, settings, second)))
        except PictureError as exc:
            if len(named) == 1:
                raise
            note(f"left out: {exc}")
    if not pictures:
        note("no picture to ask about")
        sys.exit(1)
    groups = [pictures] if together else [[pair] for pair in pictures]
    said = [messages.answer(model, [part for _, part in group], question) for group in groups]
    yes = [_yes(model, group, question, answer) for group, answer in zip(groups, said, strict=True)]
    if as_json:
        rows = zip(groups, said, yes, strict=True)
        answers = [{"pictures": [path for path, _ in group], "answer": a, "yes": sure} for group, a, sure in rows]
        print_json({"question": question, "model": model.name, "answers": answers})
        return
    for group, answer, sure in zip(groups, said, yes, strict=True):
        names = ", ".join(show_path(path) for path, _ in group)
        line = f"{answer}{_sure(answer, sure)}"
        click.echo(line if len(pictures) == 1 else f"{names}: {line}")


def _yes(model: VisionLanguageModel, group: Sequence[tuple[Path, Part]], question: str, said: str) -> float | None:
    """Return how probable yes is, where the answer about one picture is yes or no and the model can tell; else None."""
    shown = [part.image for _, part in group if isinstance(part, ImagePart)]
    if len(shown) != 1 or said.strip(" .!").lower() not in ("yes", "no") or Ability.ANSWER not in model.abilities:
        return None
    return model.verify(question, shown)[0].yes


def _sure(said: str, yes: float | None) -> str:
    return "" if yes is None else f" ({yes if said.strip(' .!').lower() == 'yes' else 1 - yes:.0%} sure)"
