"""What models write when they point at something."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from retrieval.types.records import Box
from retrieval.vlm import boxes
from retrieval.vlm.boxes import BoxFormat

Reader = Callable[[BoxFormat], list[Box]]


def read(reader: Reader, text: str) -> list[tuple[object, ...]]:
    found = reader(BoxFormat(text, "it", (640, 480), (560, 280)))
    return [(box.label, *(round(c, 3) for c in (box.left, box.top, box.right, box.bottom))) for box in found]


CAT = ("cat", 0.1, 0.2, 0.5, 1.0)


@pytest.mark.parametrize(
    ("reader", "text", "expected"),
    [
        (boxes.json_thousandths, '[{"bbox_2d": [100, 200, 500, 1000], "label": "cat"}]', [CAT]),
        (boxes.json_pixels, '```json\n[{"bbox_2d": [56, 56, 280, 280], "label": "cat"}]\n```', [CAT]),
        (boxes.json_pixels, '[{"bbox_2d": [56, 56, 280, 280], "label": "cat"}, {"bbox_2d": [0, 0', [CAT]),
        (boxes.json_thousandths, '{"bbox": [100, 200, 500, 1000]}', [("it", *CAT[1:])]),
        (boxes.qwen_vl, "<ref>cat</ref><box>(100,200),(500,1000)</box>", [CAT]),
        (boxes.qwen_vl, "<box>(100,200),(500,1000)</box>", [("it", *CAT[1:])]),
        (boxes.cogvlm, "cat [[100,200,500,1000;000,000,999,999]].", [CAT, ("cat", 0.0, 0.0, 0.999, 0.999)]),
        (boxes.paligemma, "<loc0256><loc0128><loc0768><loc0512> cat", [("cat", 0.125, 0.25, 0.5, 0.75)]),
    ],
    ids=["thousandths", "pixels", "cut off", "no label", "qwen-vl", "qwen-vl bare", "cogvlm", "paligemma"],
)
def test_a_notation_is_read(reader: Reader, text: str, expected: list[tuple[object, ...]]) -> None:
    assert read(reader, text) == expected


@pytest.mark.parametrize(
    "reader", [boxes.json_pixels, boxes.json_thousandths, boxes.qwen_vl, boxes.cogvlm, boxes.paligemma]
)
@pytest.mark.parametrize(
    "text",
    ["", "There is no cat.", "{", '[{"bbox_2d": "here"}]', '[{"bbox_2d": [1, 2]}]', "[[1,2]]", "<box>(1,2)</box>"],
)
def test_an_answer_without_boxes_is_none(reader: Reader, text: str) -> None:
    assert read(reader, text) == []


def test_boxes_stay_inside_the_picture_and_have_an_area() -> None:
    text = '[{"bbox_2d": [500, 900, -100, 2000]}, {"bbox_2d": [10, 10, 10, 50]}]'
    assert read(boxes.json_thousandths, text) == [("it", 0.0, 0.9, 0.5, 1.0)]
