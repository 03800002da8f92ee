"""The `retrieval eval` command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from ..config import Settings
from ..errors import UsageError
from ..library import evaluation
from ..library.library import Library
from ..types.results import Evaluation, Gain, RecallMetrics, Reranking
from .options import DEVICE, INDEX, MODEL, PATH, PRECISION, VLM_OPTIONS, json_option, option_group, settings_options
from .output import note, note_problems, print_json
from .progress import progress


@dataclass(frozen=True)
class RerankOptions:
    """Whether reranking is measured, and how."""

    rerank: bool
    depth: int
    weight: float | None


@click.command(name="eval")
@click.argument("captions", type=PATH, required=False)
@click.option("--images", type=PATH, help="The folder of the pictures of CAPTIONS.")
@option_group(
    "reranking",
    RerankOptions,
    click.option("--rerank", is_flag=True, help="What a vision-language model (--vlm) adds to text-to-image search."),
    click.option("--depth", type=int, default=20, show_default=True, help="With --rerank: hits that are judged."),
    click.option("--weight", type=float, help="With --rerank: how much verdicts count.  [default: the model's]"),
)
@settings_options(INDEX, MODEL, DEVICE, PRECISION, *VLM_OPTIONS)
@json_option
def command(
    captions: Path | None,
    images: Path | None,
    reranking: RerankOptions,
    settings: Settings,
    as_json: bool,
) -> None:
    """Measure a model on the caption file CAPTIONS: recall@k and MRR in percent, both ways.

    Without CAPTIONS, the library is measured on its own captions: those that people wrote. Captions by models order
    hits only where they turn out to help there; where --rerank does not, `retrieval search --rerank` skips it.

    \b
    Examples:
      retrieval eval
      retrieval eval --rerank
      retrieval eval dev.csv --images dev/
      retrieval eval dev.csv --images dev/ --model ViT-B-32/openai --json
      retrieval eval dev.csv --images dev/ --rerank --vlm hf-hub:Qwen/Qwen3-VL-2B-Instruct
    """
    if (captions is None) != (images is None):
        raise UsageError("a caption file goes with --images, the folder of its pictures; give both or none")
    trial = _Trial(captions, images, settings, as_json)
    if reranking.rerank:
        gained = trial.rerank(reranking.depth, reranking.weight)
        print_json(_gain_as_json(gained)) if as_json else _show_gain(gained)
        return
    found = trial.encoder()
    by_models = trial.captions_by_models() if captions is None else None
    print_json(_as_json(found, by_models)) if as_json else _show(found)
    if by_models and not as_json:
        _show_captions_by_models(*by_models)
    note_problems(found.problems[:5])
    if found.problems:
        note(f"{len(found.problems)} rows or pictures could not be used")


@dataclass(frozen=True)
class _Trial:
    """A measurement on a caption file or, without one, on the library's own captions."""

    captions: Path | None
    images: Path | None
    settings: Settings
    quiet: bool

    def encoder(self) -> Evaluation:
        with progress(quiet=self.quiet) as show:
            if self.captions and self.images:
                return evaluation.evaluate_model(self.captions, self.images, self.settings, show)
            with Library.open(None, self.settings) as library:
                return evaluation.evaluate_library(library)

    def captions_by_models(self) -> tuple[Gain, int] | None:
        with Library.open(None, self.settings) as library:
            return evaluation.evaluate_captions_by_models(library)

    def rerank(self, depth: int, weight: float | None) -> Reranking:
        with progress(quiet=self.quiet) as show:
            if self.captions and self.images:
                found = (self.captions, self.images, self.settings)
                return evaluation.evaluate_rerank(*found, depth=depth, weight=weight, progress=show)
            with Library.open(None, self.settings) as library:
                return evaluation.evaluate_library_rerank(library, depth=depth, weight=weight, progress=show)


def _row(metrics: RecallMetrics) -> dict[str, float]:
    return {**{f"R@{k}": round(value, 2) for k, value in metrics.recall.items()}, "MRR": round(metrics.mrr, 2)}


def _as_json(result: Evaluation, by_models: tuple[Gain, int] | None) -> dict[str, object]:
    more = {"captions_by_models": {"gain": by_models[0], "captions": by_models[1]}} if by_models else {}
    return {
        "text_to_image": _row(result.text_to_image),
        "image_to_text": _row(result.image_to_text),
        "images": result.images,
        "captions": result.captions,
        "model": result.model,
        **more,
    }


def _gain_as_json(result: Reranking) -> dict[str, object]:
    gains = {name: {"points": g.points, "low": g.low, "high": g.high} for name, g in result.gains.items()}
    return {
        "text_to_image": {"before": _row(result.before), "after": _row(result.after), "gain": gains},
        "images": result.images,
        "captions": result.captions,
        "depth": result.depth,
        "weight": result.weight,
        "best_weight": result.best_weight,
        "vlm": result.model,
    }


def _show_gain(result: Reranking) -> None:
    before, after = _row(result.before), _row(result.after)
    click.echo(f"{result.images} images, {result.captions} captions, the first {result.depth} judged by {result.model}")
    click.echo(f"{'':<8}{'encoder':>9}{'reranked':>10}{'gain':>8}   95% interval (paired bootstrap)")
    for name, value in before.items():
        gain = result.gains[name]
        click.echo(f"{name:<8}{value:9.1f}{after[name]:10.1f}{gain.points:8.2f}   {gain.low:.2f} to {gain.high:.2f}")
    note(f"weight {result.weight:g}; on this set {result.best_weight:g} would have been best")
    if result.gains["MRR"].low <= 0:
        note(f"{result.model} is not shown to help here: leave --rerank off")


def _show_captions_by_models(gain: Gain, captions: int) -> None:
    helps = gain.low > 0
    verdict = "they order hits from now on" if helps else "they are not shown to help: hits are ordered without them"
    note(
        f"captions by models, on {captions} captions by people: MRR {gain.points:+.2f} "
        f"({gain.low:+.2f} to {gain.high:+.2f}); {verdict}"
    )


def _show(result: Evaluation) -> None:
    rows = {"text -> image": _row(result.text_to_image), "image -> text": _row(result.image_to_text)}
    click.echo(f"{result.images} images, {result.captions} captions, model {result.model}; percent")
    click.echo(" " * 14 + "".join(f"{name:>8}" for name in next(iter(rows.values()))))
    for name, row in rows.items():
        click.echo(f"{name:<14}" + "".join(f"{value:8.1f}" for value in row.values()))
