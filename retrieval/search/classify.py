"""Zero-shot classification: which label fits each picture best, by the encoder or by a vision-language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import pictures
from ..encoders import Encoder
from ..errors import NotIndexed, PictureError, UsageError
from ..storage.storage import Storage
from ..types.records import Item, Kind, Progress, Vectors, no_progress
from ..types.results import Classification
from ..vlm import IMAGE_SIZE, VisionLanguageModel, judge_on

# A label's embedding is the mean over several sentences (Radford et al. 2021, "Learning Transferable Visual Models",
# section 3.1.4): encoders are trained on captions, and single words are unlike these.
TEMPLATES = ("{}", "a {}", "a photo of a {}.", "a photo of the {}.", "a picture of a {}.", "a close-up of a {}.")
BATCH = 16


@dataclass(frozen=True)
class Classifier:
    """Labels the pictures of a library."""

    storage: Storage
    max_megapixels: float = 250.0
    progress: Callable[[Progress], None] = no_progress

    def by_encoder(
        self, encoder: Encoder, labels: Sequence[str], places: Sequence[Path] | None
    ) -> list[Classification]:
        """Label pictures by the cosines of their stored embeddings with those of the labels.

        Raises:
            UsageError: there are fewer than two different labels, or no indexed picture in `places`.
        """
        items = self._items(labels, places)
        words = self._words(encoder, labels)
        ids, vectors = self.storage.vectors.get(Kind.PICTURE, sorted({item.content for item in items}))
        scores = dict(zip(ids.tolist(), vectors @ words.T, strict=True))
        return [_labelled(item, labels, scores[item.content].tolist()) for item in items if item.content in scores]

    def by_model(
        self, model: VisionLanguageModel, labels: Sequence[str], places: Sequence[Path] | None
    ) -> tuple[list[Classification], list[str]]:
        """Label pictures by the model's verdict on each label; also return a note on each picture that cannot be read.

        Raises:
            UsageError: there are fewer than two different labels, or no indexed picture in `places`.
        """
        items = self._items(labels, places)
        classifications: list[Classification] = []
        notes: list[str] = []
        for start in range(0, len(items), BATCH):
            shown = []
            for item in items[start : start + BATCH]:
                try:
                    shown.append((item, pictures.load(item.path, IMAGE_SIZE, self.max_megapixels, item.second).image))
                except PictureError as exc:
                    notes.append(f"{item.path} left out: {exc}")
            images = [image for _, image in shown]
            judge = judge_on(model, images)
            verdicts = [judge(label) for label in labels] if images else []
            classifications += [
                _labelled(item, labels, [each[row].yes for each in verdicts]) for row, (item, _) in enumerate(shown)
            ]
            self.progress(Progress("classified", min(start + BATCH, len(items)), len(items)))
        return classifications, notes

    def _items(self, labels: Sequence[str], places: Sequence[Path] | None) -> list[Item]:
        if len(set(labels)) < 2 or not all(label.strip() for label in labels):
            raise UsageError("give at least two different labels: --labels dog,cat,bird")
        with self.storage.read() as catalog:
            items = catalog.items.within(places)
        if not items:
            where = f" at {', '.join(map(str, places))}" if places else ""
            raise NotIndexed(f"the library has no picture{where}; index it first: retrieval index FOLDER")
        return items

    @staticmethod
    def _words(encoder: Encoder, labels: Sequence[str]) -> Vectors:
        """Return the embedding of each label, the mean over `TEMPLATES`, (labels, dimensions) unit rows."""
        rows = encoder.texts([template.format(label) for label in labels for template in TEMPLATES])
        means = rows.reshape(len(labels), len(TEMPLATES), -1).mean(axis=1)
        found: Vectors = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
        return found


def _labelled(item: Item, labels: Sequence[str], scores: Sequence[float]) -> Classification:
    order = sorted(range(len(labels)), key=lambda place: -scores[place])
    named = {labels[place]: float(scores[place]) for place in order}
    return Classification(item.path, item.id, labels[order[0]], float(scores[order[0]] - scores[order[1]]), named)
