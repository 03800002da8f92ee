"""Recall and MRR against numbers worked out by hand, and the evaluation on files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retrieval import Settings, SourceError, evaluate_model, evaluate_rerank
from retrieval.evaluate.recall import best_ranks, metrics

from ..conftest import COLOURS, Paint


def test_ranks_are_of_the_best_right_answer_and_ties_count_against_it() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.2, 0.8, 0.8], [0.3, 0.4, 0.5]], np.float32)
    right = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], bool)
    assert best_ranks(scores, right).tolist() == [1, 2, 2]


def test_metrics_by_hand() -> None:
    found = metrics(np.array([1, 2, 5, 20]))
    assert found.recall == {1: 25.0, 5: 75.0, 10: 75.0}
    assert found.mrr == pytest.approx(100 * (1 + 0.5 + 0.2 + 0.05) / 4)


def test_a_caption_file_is_measured_both_ways(photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    table.write_text("image,caption\nred.jpg,red\nred.jpg,blue\nlime.png,lime\nblue.webp,blue\nyellow.bmp,yellow\n")
    found = evaluate_model(table, photos, COLOURS)
    assert (found.images, found.captions, found.model) == (4, 5, "colours")
    assert found.text_to_image.recall[1] == pytest.approx(80)  # "blue" of the red picture finds the blue one
    assert found.text_to_image.recall[5] == 100
    assert found.image_to_text.recall[5] == 100


def test_pictures_that_cannot_be_read_are_reported_and_left_out(photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    table.write_text("image,caption\nred.jpg,red\ngone.jpg,blue\n")
    found = evaluate_model(table, photos, COLOURS)
    assert (found.images, [problem.reason for problem in found.problems]) == (1, ["vanished"])
    table.write_text("image,caption\ngone.jpg,blue\n")
    with pytest.raises(SourceError, match="none of the 1 pictures"):
        evaluate_model(table, photos, Settings(model="colours"))


def test_reranking_is_measured_with_its_interval(tmp_path: Path, paint: Paint) -> None:
    """The encoder sees mean colours: a red door before a cyan sea is grey to it. The model sees the door."""
    for name in ("yellow", "blue", "lime"):
        paint(f"{name}.png", name)
    sea = Image.linear_gradient("L").rotate(90).resize((64, 48)).point(lambda value: 128 + value // 2)
    door = Image.merge("RGB", (Image.new("L", sea.size), sea, sea))
    door.paste((255, 0, 0), (0, 0, 26, 48))
    door.save(tmp_path / "photos" / "red.png")
    table = tmp_path / "captions.csv"
    table.write_text("image,caption\n" + "".join(f"{n}.png,something {n}\n" for n in ("yellow", "blue", "lime", "red")))
    settings = Settings(model="colours", vlm="colours")
    found = evaluate_rerank(table, tmp_path / "photos", settings, depth=4)
    assert found.before == evaluate_model(table, tmp_path / "photos", settings).text_to_image
    assert (found.before.recall[1], found.after.recall[1]) == (75.0, 100.0)
    gain = found.gains["R@1"]
    assert gain.points == 25.0
    assert 0 <= gain.low <= gain.points <= gain.high <= 100
    assert evaluate_rerank(table, tmp_path / "photos", settings, depth=4, weight=0.0).after == found.before
