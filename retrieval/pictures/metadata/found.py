"""What the metadata blocks of one picture say, gathered block by block, and turned into `Facts`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...types.records import Facts
from . import timestamps
from .timestamps import Moment, Rank

LISTS = ("keywords", "people", "comments")  # fields of which blocks add entries, where other fields replace values


@dataclass
class Found:
    """The values of `Facts` that were found, by field name, and every date."""

    values: dict[str, Any] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)

    def add(self, values: Mapping[str, Any], moments: Iterable[Moment | None] = ()) -> None:
        """Take over the values that say anything; entries of lists come behind those that are there."""
        for name, value in values.items():
            if name in LISTS:
                self.values[name] = tuple(dict.fromkeys((*self.values.get(name, ()), *filter(None, value))))
            elif value not in (None, "", ("", "", "")):
                self.values[name] = value
        self.moments += [moment for moment in moments if moment is not None]

    def put(self, other: Found) -> None:
        """Take over all that another block says; its lists replace those that are there."""
        for name in LISTS:
            if other.values.get(name):
                self.values[name] = ()
        self.add(other.values, other.moments)

    def facts(self, name: str = "") -> Facts:
        """Return the facts; the file's `name` gives the date if nothing else does."""
        moments = timestamps.corrected([*self.moments, *filter(None, [timestamps.in_file_name(name)])])
        chosen = timestamps.choose(moments)
        known = {**self.values, "keywords": _with_people(self.values)}
        facts = Facts(**known)
        if chosen is None:
            return facts
        return replace(
            facts,
            taken_at=chosen.at,
            date_precision=chosen.precision,
            date_from_name=chosen.rank is Rank.NAME,
        )


def _with_people(values: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*values.get("keywords", ()), *values.get("people", ()))))
