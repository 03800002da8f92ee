"""Checks a query's filters on one picture, and widens them just enough to let it pass.

Does not know scores.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np

from ...geocoding import kilometres
from ...queries.filters import (
    Between,
    Captioned,
    Every,
    Filter,
    Near,
    Not,
    Number,
    OfType,
    PathFits,
    Says,
    Shows,
    Some,
    Taken,
    Word,
)
from ...queries.render import spelled
from ...storage.catalog import Catalog
from ...storage.catalog.annotations import Said
from ...storage.catalog.filters_sql import Selection
from ...types.explanations import FilterCheck
from ...types.records import Item

DAY = timedelta(days=1)


def conjuncts(where: Filter) -> tuple[Filter, ...]:
    """Return the filters that a picture must all pass."""
    return where.parts if isinstance(where, Every) else (where,)


def check(catalog: Catalog, where: Filter, item: Item) -> FilterCheck:
    """Return whether an item passes a filter, with the filter and the item's value in words."""
    passes = Selection(catalog.connection).passes(where, item.id)
    return FilterCheck(spelled(where), _value(catalog, where, item), passes)


def _value(catalog: Catalog, where: Filter, item: Item) -> str:
    facts, (city, region, country) = item.facts, item.place
    match where:
        case Taken():
            return f"taken {facts.taken_at:%Y-%m-%d %H:%M}" if facts.taken_at else "no date"
        case Says(Word.KEYWORD):
            return ", ".join(facts.keywords) or "no keywords"
        case Says(field):
            known = {Word.CITY: city, Word.REGION: region, Word.COUNTRY: country, Word.CAMERA: facts.camera}
            known |= {Word.LENS: facts.lens, Word.TITLE: facts.title}
            return known[field] or f"no {field}"
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
            return "; ".join(catalog.captions_of([item.content]).get(item.content, [])) or "no caption"
        case Shows():
            lines = Said(catalog.connection).readings([item.content]).get(item.content)
            return "not read yet (`retrieval ocr`)" if lines is None else "; ".join(line.label for line in lines)
        case Not(part):
            return _value(catalog, part, item)
        case Every(parts) | Some(parts):
            return "; ".join(dict.fromkeys(filter(None, (_value(catalog, part, item) for part in parts))))
    return ""


def numbers(item: Item) -> dict[Number, float | None]:
    """Return the item's values for filters on numbers; None for an unknown rating."""
    width, height = item.facts.width, item.facts.height
    whole = {Number.WIDTH: float(width), Number.HEIGHT: float(height), Number.MEGAPIXELS: width * height / 1e6}
    return {**whole, Number.RATING: item.facts.rating}


def eased(where: Filter, item: Item) -> Filter | None:
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
