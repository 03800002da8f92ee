"""Checks a query's filters on one picture, and widens them just enough to let it pass.

Does not know scores.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from ...geocoding import kilometres
from ...queries.filters import (
    And,
    Between,
    Captioned,
    Filter,
    Near,
    Not,
    NumberField,
    OcrContains,
    OfType,
    Or,
    PathFits,
    Taken,
    TextContains,
    TextField,
)
from ...queries.render import render_filter
from ...storage.catalog import CatalogSession
from ...types.explanations import FilterCheck
from ...types.records import Item

DAY = timedelta(days=1)


def conjuncts(where: Filter) -> tuple[Filter, ...]:
    """Return the filters that a picture must all pass."""
    return where.parts if isinstance(where, And) else (where,)


def check_filter(catalog: CatalogSession, where: Filter, item: Item) -> FilterCheck:
    """Return whether an item passes a filter, with the filter and the item's value in words."""
    passes = catalog.filters.passes(where, item.id)
    return FilterCheck(render_filter(where), _value(catalog, where, item), passes)


def _value(catalog: CatalogSession, where: Filter, item: Item) -> str:
    facts, (city, region, country) = item.facts, item.place
    match where:
        case Taken():
            return f"taken {facts.taken_at:%Y-%m-%d %H:%M}" if facts.taken_at else "no date"
        case TextContains(TextField.PERSON):
            return ", ".join(facts.people) or "no people named"
        case TextContains(TextField.KEYWORD):
            return ", ".join(facts.keywords) or "no keywords"
        case TextContains(field):
            values = {
                TextField.CITY: city,
                TextField.REGION: region,
                TextField.COUNTRY: country,
                TextField.CAMERA: facts.camera,
            }
            values |= {TextField.LENS: facts.lens, TextField.TITLE: facts.title}
            return values[field] or f"no {field}"
        case Between(number):
            value = numbers(item)[number]
            return f"no {number}" if value is None else f"{value:g}"
        case Near(latitude, longitude):
            away = kilometres(facts.latitude, facts.longitude, latitude, longitude)
            return f"{away:.1f} km away" if np.isfinite(away) else "no coordinates"
        case PathFits():
            return str(item.path)
        case OfType():
            return facts.format.lower()
        case Captioned():
            return "; ".join(catalog.captions.of([item.content]).get(item.content, [])) or "no caption"
        case OcrContains():
            lines = catalog.annotations.ocr_lines([item.content]).get(item.content)
            return "not read yet (`retrieval ocr`)" if lines is None else "; ".join(line.label for line in lines)
        case Not(part):
            return _value(catalog, part, item)
        case And(parts) | Or(parts):
            return "; ".join(dict.fromkeys(filter(None, (_value(catalog, part, item) for part in parts))))
    return ""


def numbers(item: Item) -> dict[NumberField, float | None]:
    """Return the item's values for filters on numbers; None for an unknown one."""
    width, height = item.facts.width, item.facts.height
    whole = {
        NumberField.WIDTH: float(width),
        NumberField.HEIGHT: float(height),
        NumberField.MEGAPIXELS: width * height / 1e6,
    }
    facts = item.facts
    return {
        **whole,
        NumberField.RATING: facts.rating,
        NumberField.ISO: facts.iso,
        NumberField.APERTURE: facts.aperture,
        NumberField.FOCAL_LENGTH: facts.focal_length,
        NumberField.EXPOSURE: facts.exposure,
    }


def widen(where: Filter, item: Item) -> Filter | None:
    """Return the filter, widened just enough to let the item pass; None if it can only be removed."""
    facts = item.facts
    match where:
        case Taken(since, until) if facts.taken_at:
            at = facts.taken_at.replace(tzinfo=None, microsecond=0)
            day = at.replace(hour=0, minute=0, second=0)
            late = until is not None and until <= at
            return Taken(min(since, day) if since else None, day + DAY if late else until)
        case Between(number, low, high):
            value = numbers(item)[number]
            if value is None:
                return None
            return Between(number, None if low is None else min(low, value), None if high is None else max(high, value))
        case Near(latitude, longitude):
            away = kilometres(facts.latitude, facts.longitude, latitude, longitude)
            return replace(where, kilometres=float(np.ceil(away))) if np.isfinite(away) else None
    return None
