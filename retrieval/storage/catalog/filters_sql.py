"""Compiles filters to SQL: which items pass, which fields no item has, and facets of a set of items.

Works inside one transaction. Does not know how a query is written.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, and_, exists, false, func, or_, select, true, type_coerce

from ...queries.filters import (
    And,
    Between,
    Captioned,
    Filter,
    Has,
    Near,
    Not,
    NumberField,
    OcrContains,
    OfType,
    Or,
    PathFits,
    Presence,
    Taken,
    TextContains,
    TextField,
)
from .dialects import Dialect
from .mapping import NO_SECOND
from .repository import Repository, chunks
from .schema import captions, contents, ocr_lines
from .schema import present_items as items

Clause = ColumnElement[bool]

FORMATS = {"jpeg": ("JPEG", "MPO"), "jpeg2000": ("JPEG2000",), "heif": ("HEIF", "HEIC"), "raw": ("RAW",)}
NUMBERS: Mapping[NumberField, ColumnElement[Any]] = {
    NumberField.RATING: items.c.rating,
    NumberField.WIDTH: items.c.width,
    NumberField.HEIGHT: items.c.height,
    NumberField.MEGAPIXELS: items.c.width * items.c.height / 1e6,
    NumberField.ISO: items.c.iso,
    NumberField.APERTURE: items.c.aperture,
    NumberField.FOCAL_LENGTH: items.c.focal_length,
    NumberField.EXPOSURE: items.c.exposure,
}
ALWAYS_KNOWN = (NumberField.WIDTH, NumberField.HEIGHT, NumberField.MEGAPIXELS)
FACETS = ("year", "camera", "country", "city", "type", "folder")


class Filters(Repository):
    """Which items pass a filter, and what they have in common."""

    def passing(self, where: Filter) -> list[tuple[int, int]]:
        """Return the items that pass, as (item id, content id), newest first; undated ones come last."""
        dated = func.coalesce(func.substr(items.c.taken_at, 1, 19), "")
        query = (
            select(items.c.id, items.c.content_id)
            .where(clause(where, self._dialect))
            .order_by(dated.desc(), items.c.path)
        )
        return [(row[0], row[1]) for row in self._connection.execute(query)]

    def passes(self, where: Filter, item: int) -> bool:
        """Whether an item passes the filter."""
        query = select(select(items.c.id).where(items.c.id == item, clause(where, self._dialect)).exists())
        return bool(self._connection.execute(query).scalar())

    def unknown(self, where: Filter) -> list[str]:
        """Return the names of the fields that the filter needs and no item of the library has."""
        return [name for name, known in _required_fields(where).items() if not self._any(known)]

    def _any(self, known: Clause) -> bool:
        return bool(self._connection.execute(select(select(items.c.id).where(known).exists())).scalar())

    def values(self, most: int) -> dict[str, Counter[str]]:
        """Return how many of the library's items have each camera, person, place, keyword and folder.

        Looks through `most` items only; the keys are the names of tokens: camera, person, place, keyword, path.
        """
        columns = (items.c.camera, items.c.city, items.c.region, items.c.country, items.c.keywords, items.c.people)
        path = type_coerce(items.c.path, LargeBinary)  # as bytes: a `Path` for each item would take most of the time
        rows = self._connection.execute(select(*columns, path).limit(most)).all()
        found: dict[str, Counter[str]] = {name: Counter() for name in ("camera", "person", "place", "keyword", "path")}
        for parent, count in Counter(row[-1].rpartition(b"/")[0] for row in rows).items():
            found["path"][os.fsdecode(parent.rpartition(b"/")[2])] += count
        for (camera, *place, keywords, people), count in Counter(row[:-1] for row in rows).items():
            values = {"camera": {camera}, "place": set(place), "keyword": json.loads(keywords)}
            for name, some in (values | {"person": json.loads(people)}).items():
                found[name].update(dict.fromkeys(some, count))
        return {name: Counter({value: n for value, n in each.items() if value}) for name, each in found.items()}

    def facets(self, ids: Iterable[int]) -> dict[str, list[tuple[str, int]]]:
        """Return how many of these items there are of each year, camera, country, city, type and folder.

        The most frequent values come first.
        """
        counts: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
        columns = (items.c.path, items.c.taken_at, items.c.camera, items.c.country, items.c.city, items.c.format)
        for some in chunks(ids):
            for row in self._connection.execute(select(*columns).where(items.c.id.in_(some))):
                values = (
                    row.taken_at and row.taken_at[:4],
                    row.camera,
                    row.country,
                    row.city,
                    row.format.lower(),
                    row.path.parent.name,
                )
                for name, value in zip(FACETS, values, strict=True):
                    if value:
                        counts[name][value] += 1
        return {name: sorted(each.items(), key=lambda pair: (-pair[1], pair[0])) for name, each in counts.items()}


def clause(where: Filter, dialect: Dialect) -> Clause:
    """Return a filter as a condition on `items`; it is true or false, never NULL."""
    match where:
        case And(parts):
            return and_(true(), *(clause(part, dialect) for part in parts))
        case Or(parts):
            return or_(false(), *(clause(part, dialect) for part in parts))
        case Not(part):
            return ~clause(part, dialect)
        case Has(mark):
            return _has(mark)
    found = _item_clause(where, dialect)
    return func.coalesce(found, false())


def _item_clause(where: Filter, dialect: Dialect) -> Clause:
    match where:
        case Taken(since, until):
            at = func.substr(items.c.taken_at, 1, 19)  # the camera's clock, without its time zone
            to = func.coalesce(items.c.taken_to, at)  # a month passes only where all of it does
            bounds = [at >= since.isoformat()] if since else []
            return and_(items.c.taken_at.is_not(None), *bounds, *([to < until.isoformat()] if until else []))
        case TextContains(TextField.KEYWORD | TextField.PERSON as field, text):
            each = dialect.elements(items.c.keywords if field is TextField.KEYWORD else items.c.people)
            return exists(select(each.c.value).where(dialect.contains(each.c.value, text)))
        case TextContains(field, text):
            return dialect.contains(items.c[str(field)], text)
        case Between(field, low, high):
            number = NUMBERS[field]
            bounds = [number >= low] if low is not None else []
            return and_(number.is_not(None), *bounds, *([number <= high] if high is not None else []))
        case Near(latitude, longitude, kilometres):
            away = dialect.kilometres(items.c.latitude, items.c.longitude, latitude, longitude)
            return and_(items.c.latitude.is_not(None), away <= kilometres)
        case PathFits(glob):
            return dialect.path_fits(items.c.path, glob)
        case OfType(name):
            return _of_type(name)
        case Captioned(text):
            joined = captions.join(contents, contents.c.id == captions.c.text_id)
            mine = captions.c.picture_id == items.c.content_id
            return exists(
                select(captions.c.id).select_from(joined).where(mine, dialect.contains(contents.c.text, text))
            )
        case OcrContains(text):
            line = dialect.elements(ocr_lines.c.lines)
            label = dialect.first_of(line.c.value)
            mine = ocr_lines.c.content_id == items.c.content_id
            return exists(
                select(ocr_lines.c.content_id).where(
                    mine, exists(select(line.c.value).where(dialect.contains(label, text)))
                )
            )
    raise TypeError(where)


def _of_type(name: str) -> Clause:
    if name in ("photo", "video"):
        return (items.c.second == NO_SECOND) if name == "photo" else (items.c.second != NO_SECOND)
    return func.upper(items.c.format).in_(FORMATS.get(name, (name.upper(),)))


def _has(mark: Presence) -> Clause:
    match mark:
        case Presence.GPS:
            return items.c.latitude.is_not(None)
        case Presence.DATE:
            return items.c.taken_at.is_not(None)
        case Presence.CAMERA:
            return items.c.camera != ""
        case Presence.RATING:
            return items.c.rating.is_not(None)
        case Presence.KEYWORDS:
            return items.c.keywords != json.dumps(())
        case Presence.PEOPLE:
            return items.c.people != json.dumps(())
        case Presence.DAMAGE:
            return items.c.damaged == 1
        case Presence.CAPTION:
            return exists(select(captions.c.id).where(captions.c.picture_id == items.c.content_id))
        case Presence.TEXT:
            shown = ocr_lines.c.content_id == items.c.content_id
            return exists(select(ocr_lines.c.content_id).where(shown, ocr_lines.c.lines != "[]"))


def _required_fields(where: Filter) -> dict[str, Clause]:
    """Return the names of the fields that a filter reads, each with the condition that an item has it."""
    match where:
        case And(parts) | Or(parts):
            return {name: known for part in parts for name, known in _required_fields(part).items()}
        case Not(part):
            return _required_fields(part)
        case Taken():
            return {"date": _has(Presence.DATE)}
        case Near() | TextContains(TextField.CITY | TextField.REGION | TextField.COUNTRY):
            return {"place": _has(Presence.GPS)}
        case TextContains(TextField.PERSON):
            return {"person": _has(Presence.PEOPLE)}
        case TextContains(TextField.KEYWORD):
            return {"keyword": _has(Presence.KEYWORDS)}
        case TextContains(field):
            return {str(field): items.c[str(field)] != ""}
        case Between(NumberField.RATING):
            return {"rating": _has(Presence.RATING)}
        case Between(field) if field not in ALWAYS_KNOWN:
            return {str(field): NUMBERS[field].is_not(None)}
        case Captioned():
            return {"caption": _has(Presence.CAPTION)}
        case OcrContains():
            return {"text that was read (`retrieval ocr`)": _has(Presence.TEXT)}
    return {}
