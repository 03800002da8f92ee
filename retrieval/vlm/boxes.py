"""Parsers of the notations in which models write boxes. Knows notations; does not know models.

Coordinates of a `Box` are fractions of the picture's width and height, from its top left corner.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..types.records import Box


@dataclass(frozen=True)
class BoxFormat:
    """One grounding answer, with what is needed to parse it."""

    text: str  # with its special tokens
    phrase: str
    size: tuple[int, int]  # width and height of the picture, pixels
    seen: tuple[int, int]  # width and height of the model's input, pixels
    processor: Any = None


def json_pixels(reading: BoxFormat) -> list[Box]:
    """Parse `[{"bbox_2d": [x0, y0, x1, y1], "label": ...}]` in pixels of the model's input (Qwen2-VL, Qwen2.5-VL)."""
    return _from_json(reading, *reading.seen)


def json_thousandths(reading: BoxFormat) -> list[Box]:
    """Parse the same JSON in thousandths of the picture's sides (Qwen3-VL)."""
    return _from_json(reading, 1000, 1000)


def _from_json(reading: BoxFormat, width: float, height: float) -> list[Box]:
    rows = []
    for entry in _objects(reading.text):
        corners = entry.get("bbox_2d", entry.get("bbox"))
        if isinstance(corners, list) and len(corners) == 4 and all(isinstance(c, int | float) for c in corners):
            label = str(entry.get("label") or reading.phrase)
            rows.append((label, corners[0] / width, corners[1] / height, corners[2] / width, corners[3] / height))
    return _boxes(rows)


def _objects(text: str) -> list[dict[str, Any]]:
    """Return all complete JSON objects without nested objects, from prose, a fenced block or a truncated answer."""
    objects = []
    for match in re.finditer(r"\{[^{}]*\}", text):
        try:
            entry = json.loads(match.group())
        except ValueError:
            continue
        if isinstance(entry, dict):
            objects.append(entry)
    return objects


def qwen_vl(reading: BoxFormat) -> list[Box]:
    """Parse `<ref>label</ref><box>(x0,y0),(x1,y1)</box>` in thousandths (Qwen-VL and Qwen-VL-Chat)."""
    pattern = r"(?:<ref>(.*?)</ref>)?<box>\((\d+),(\d+)\),\((\d+),(\d+)\)</box>"
    rows = re.findall(pattern, reading.text)
    return _boxes((label or reading.phrase, *(int(c) / 1000 for c in corners)) for label, *corners in rows)


def cogvlm(reading: BoxFormat) -> list[Box]:
    """Parse `label [[x0,y0,x1,y1;x0,...]]` in thousandths (CogVLM grounding)."""
    rows = []
    for label, group in re.findall(r"([^\[\]]*)\[\[([\d,;]+)\]\]", reading.text):
        for corners in group.split(";"):
            numbers = [int(number) / 1000 for number in corners.split(",") if number]
            if len(numbers) == 4:
                rows.append((label.strip(" ,.:") or reading.phrase, *numbers))
    return _boxes(rows)


def paligemma(reading: BoxFormat) -> list[Box]:
    """Parse `<loc y0><loc x0><loc y1><loc x1> label ; ...` in 1,024ths (PaliGemma)."""
    pattern = r"<loc(\d{4})><loc(\d{4})><loc(\d{4})><loc(\d{4})>\s*([^;<]*)"
    found = []
    for top, left, bottom, right, label in re.findall(pattern, reading.text):
        corners = (int(number) / 1024 for number in (left, top, right, bottom))
        found.append((label.strip() or reading.phrase, *corners))
    return _boxes(found)


def kosmos2(reading: BoxFormat) -> list[Box]:
    """Parse `<phrase>label</phrase><object><patch_index_0044>...</object>` on a grid of 32 by 32 (KOSMOS-2)."""
    _, entities = reading.processor.post_process_generation(reading.text)
    return _boxes((label.strip() or reading.phrase, *corners) for label, _, found in entities for corners in found)


def florence2(reading: BoxFormat) -> list[Box]:
    """Parse `label<loc_x0><loc_y0><loc_x1><loc_y1>` in thousandths (Florence-2)."""
    task = "<CAPTION_TO_PHRASE_GROUNDING>"
    found = reading.processor.post_process_generation(text=reading.text, task=task, image_size=reading.size)[task]
    width, height = reading.size
    return _boxes(
        (label or reading.phrase, x0 / width, y0 / height, x1 / width, y1 / height)
        for label, (x0, y0, x1, y1) in zip(found["labels"], found["bboxes"], strict=False)
    )


def _boxes(found: Iterable[tuple[Any, ...]]) -> list[Box]:
    """Return boxes with ordered corners, clipped to the picture; boxes without area are left out."""
    boxes = []
    for label, *corners in found:
        x0, y0, x1, y1 = (min(1.0, max(0.0, float(corner))) for corner in corners)
        box = Box(str(label), min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        if box.right > box.left and box.bottom > box.top:
            boxes.append(box)
    return boxes
