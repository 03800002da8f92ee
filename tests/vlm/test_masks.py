"""Masks: what models say of single pixels."""

from __future__ import annotations

import numpy as np

from retrieval.vlm import masks


def test_a_map_is_stretched_over_the_picture() -> None:
    logits = np.full((4, 4), -20.0, np.float32)
    logits[:, 2:] = 20.0
    mask = masks.from_logits(logits, (40, 20))
    assert mask.shape == (20, 40)
    assert mask[:, :10].max() < 1e-6
    assert mask[:, 30:].min() > 1 - 1e-6


def test_polygons_are_filled_each_by_itself() -> None:
    square, triangle = "<loc_0><loc_0><loc_500><loc_0><loc_500><loc_500><loc_0><loc_500>", "<loc_900><loc_900><loc_1>"
    mask = masks.from_polygons(f"</s><s>{square}<sep>{triangle}</s>", (100, 60))
    assert mask[:29, :49].min() == 1
    assert mask[32:].max() == 0
    assert mask[:, 52:].max() == 0


def test_the_box_around_a_mask_holds_its_sure_pixels() -> None:
    mask = np.zeros((10, 20), np.float32)
    assert masks.around(mask, "dog") == []
    mask[2:5, 10:20] = 0.9
    mask[0, 0] = 0.4
    (box,) = masks.around(mask, "dog")
    assert (box.left, box.top, box.right, box.bottom) == (0.5, 0.2, 1.0, 0.5)
    assert abs((box.score or 0) - 0.9) < 1e-6
