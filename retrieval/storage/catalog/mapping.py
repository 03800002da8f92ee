"""Mapping between `Item` and rows of the table `items`. Does not know transactions."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Row, and_, or_, type_coerce

from ...types.records import DatePrecision, Facts, Item, ScannedFile
from .schema import items

NO_SECOND = -1.0  # the second of an item that is not a video frame


def item_row(file: ScannedFile, content: int, facts: Facts, second: float) -> dict[str, Any]:
    """Return the row of a file that holds a content, or of a video frame at `second`."""
    return {
        "path": file.path,
        "second": second,
        "content_id": content,
        "size": file.size,
        "mtime_ns": file.mtime_ns,
        "ctime_ns": file.ctime_ns,
        "sidecar_digest": file.sidecar_digest,
        "width": facts.width,
        "height": facts.height,
        "format": facts.format,
        "taken_at": facts.taken_at.isoformat() if facts.taken_at else None,
        "taken_to": facts.taken_to.isoformat() if facts.taken_to else None,
        "date_precision": str(facts.date_precision),
        "date_from_name": int(facts.date_from_name),
        "camera": facts.camera,
        "lens": facts.lens,
        "latitude": facts.latitude,
        "longitude": facts.longitude,
        "orientation": facts.orientation,
        "title": facts.title,
        "description": facts.description,
        "keywords": json.dumps(facts.keywords),
        "rating": facts.rating,
        "comments": json.dumps(facts.comments),
        "people": json.dumps(facts.people),
        "iso": facts.iso,
        "aperture": facts.aperture,
        "focal_length": facts.focal_length,
        "exposure": facts.exposure,
        "damaged": int(facts.damaged),
        "absent_since": None,
        "city": facts.place[0],  # what the file does not say is looked up later from the coordinates
        "region": facts.place[1],
        "country": facts.place[2],
    }


def to_item(row: Row[Any]) -> Item:
    """Return the item of a row."""
    facts = Facts(
        width=row.width,
        height=row.height,
        format=row.format,
        taken_at=datetime.fromisoformat(row.taken_at) if row.taken_at else None,
        camera=row.camera,
        lens=row.lens,
        latitude=row.latitude,
        longitude=row.longitude,
        orientation=row.orientation,
        title=row.title,
        description=row.description,
        keywords=tuple(json.loads(row.keywords)),
        rating=row.rating,
        date_precision=DatePrecision(row.date_precision),
        date_from_name=bool(row.date_from_name),
        comments=tuple(json.loads(row.comments)),
        people=tuple(json.loads(row.people)),
        iso=row.iso,
        aperture=row.aperture,
        focal_length=row.focal_length,
        exposure=row.exposure,
        damaged=bool(row.damaged),
        place=(row.city, row.region, row.country),
    )
    second = None if row.second == NO_SECOND else row.second
    return Item(row.id, row.path, row.content_id, facts, second, facts.place)


def inside(place: Path, column: ColumnElement[Any] = items.c.path) -> ColumnElement[bool]:
    """Return the condition that a path (of an item, or in another column) is `place` or lies in it."""
    name = os.fsencode(place).rstrip(b"/")
    path = type_coerce(column, LargeBinary)
    return or_(path == name, and_(path >= name + b"/", path < name + b"0"))  # "0" is the character after "/"
