"""The JSON that Google Takeout writes beside each photo: date, place, description, people, and its star."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...types.plain_text import plain
from ...types.records import DatePrecision
from . import coordinates
from .found import Found
from .timestamps import Moment, Rank, is_placeholder

FAVOURITE = "favourite"  # the keyword of pictures with Google's star


def read_takeout(data: bytes) -> Found | None:
    """Return what a JSON file of Google Takeout says; None if it is another kind of JSON.

    Raises:
        ValueError: it is not JSON.
    """
    found = Found()
    try:
        whole = json.loads(data.decode("utf-8-sig"))
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if not isinstance(whole, dict) or not {"photoTakenTime", "googlePhotosOrigin", "geoData"} & whole.keys():
        return None
    latitude = longitude = None
    for name in ("geoData", "geoDataExif"):
        spot = _object(whole, name)
        latitude, longitude = coordinates.place(_number(spot.get("latitude")), _number(spot.get("longitude")))
        if latitude is not None:
            break
    people = [_text(each.get("name")) for each in _objects(whole.get("people"))]
    found.add(
        {
            "description": _text(whole.get("description")),
            "people": people,
            "keywords": [FAVOURITE] if whole.get("favorited") is True else [],
            "latitude": latitude,
            "longitude": longitude,
        },
        [_taken(_object(whole, "photoTakenTime").get("timestamp"))],
    )
    return found


def _taken(seconds: object) -> Moment | None:
    number = _number(seconds)
    if number is None:
        return None
    try:
        at = datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None if is_placeholder(at) else Moment(at.astimezone(), DatePrecision.SECOND, Rank.TAKEOUT)


def _object(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = whole.get(name)
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return plain(value) if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, OverflowError):
        return None
