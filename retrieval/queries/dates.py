"""Dates as people write them: `2023-06`, `12 June 2023`, `last summer`, `two years ago today`, `in May 2022`.

Dates behind `since:` and the like may be in any language that dateparser knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

MONTHS = (
    "jan(?:uary)? feb(?:ruary)? mar(?:ch)? apr(?:il)? may june? july? aug(?:ust)? sep(?:t(?:ember)?)? oct(?:ober)? "
    "nov(?:ember)? dec(?:ember)?"
)
MONTH = "(?:" + "|".join(MONTHS.split()) + r")\.?"
YEAR = r"(?:19|20)\d\d"
SEASON = "spring|summer|autumn|fall|winter"
COUNT = "an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\\d{1,3}"
UNIT = "day|week|month|year"
PHRASES = re.compile(  # phrases that are read as dates within a sentence; ambiguous ones are left out
    rf"""\b(?:(?:(?:taken|from|in|during|on)\s+)?(?P<span>
      (?:the\s+)?(?:{SEASON})\s+(?:of\s+)?{YEAR} | (?:last|this)\s+(?:{SEASON})
      | (?:\d{{1,2}}(?:st|nd|rd|th)?\s+)?{MONTH},?\s+(?:of\s+)?{YEAR} | {MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+{YEAR}
      | {YEAR}-\d\d(?:-\d\d)? | (?:last|this)\s+(?:{UNIT}) | (?:last|this)\s+(?:{MONTH})(?=\s|$)
      | (?:the\s+)?(?:19|20)\d0s | yesterday | (?:{COUNT})\s+(?:{UNIT})s?\s+ago(?:\s+today)?)
    | (?:taken\s+in|in|during)\s+(?P<year>{YEAR}) | in\s+(?P<month>{MONTH})(?=\s|$))(?!\w)""",
    re.VERBOSE | re.IGNORECASE,
)
STARTS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # first months, in the northern hemisphere
FIRST_YEAR = 1800  # dates before photography are not accepted
LONGEST_PHRASE = 80  # characters of a date in words; what is longer is none, and would take seconds to read


@dataclass(frozen=True)
class Span:
    """A half-open interval [since, until), without a time zone."""

    since: datetime
    until: datetime

    def __str__(self) -> str:
        last = self.until - timedelta(days=1)
        first = f"{self.since:%Y-%m-%d}"
        return first if self.since.date() == last.date() else f"{first} .. {last:%Y-%m-%d}"


def find(text: str, now: datetime) -> tuple[str, list[tuple[str, Span]]]:
    """Return the text without its dates, and each date as it was written, with its span."""
    spans: list[tuple[str, Span]] = []

    def take(match: re.Match[str]) -> str:
        span = read(match["span"] or match["year"] or match["month"], now)
        if span is None:
            return match[0]
        spans.append((match[0].strip(), span))
        return " "

    rest = PHRASES.sub(take, text)
    return " ".join(rest.split()) if spans else text, spans


def warm() -> None:
    """Load what dates in words need, of all languages: the first phrase that is not English would take seconds."""
    read("a phrase that is no date", datetime(2000, 1, 1))


def read(text: str, now: datetime) -> Span | None:
    """Return the span of a date, as wide as it is written: a year, a month, a day; None if it is no date."""
    if len(text) > LONGEST_PHRASE:
        return None
    words = " ".join(text.lower().replace("_", " ").split()).removeprefix("the ")
    if match := re.fullmatch(r"((?:19|20)\d0)s", words):
        return Span(datetime(int(match[1]), 1, 1), datetime(int(match[1]) + 10, 1, 1))
    if match := re.fullmatch(rf"({SEASON}) (?:of )?({YEAR})", words):
        return _season(match[1], int(match[2]))
    if match := re.fullmatch(rf"(last|this) ({SEASON})", words):
        return _near_season(match[1], match[2], now)
    if match := re.fullmatch(rf"(last|this) ({MONTH})", words):
        return _near_month(match[2], now, last=match[1] == "last")
    if match := re.fullmatch(rf"(last|this) ({UNIT})", words):
        return _around(now, match[2], -1 if match[1] == "last" else 0)
    if words.isdigit():
        return _whole(int(words)) if len(words) == 4 and int(words) >= FIRST_YEAR else None
    if re.fullmatch(r"\d{4}-\d\d?(-\d\d?)?", words):
        return _iso(*map(int, words.split("-")))
    today = words.endswith(" ago today")
    return _parsed(words.removesuffix(" today") if today else words, now, exact=today)


def _parsed(words: str, now: datetime, *, exact: bool) -> Span | None:
    from dateparser.date import DateDataParser

    settings = {
        "PREFER_DAY_OF_MONTH": "current" if exact else "first",
        "PREFER_DATES_FROM": "past",
        "RELATIVE_BASE": now,
        "RETURN_AS_TIMEZONE_AWARE": False,
        "REQUIRE_PARTS": ["year"] if re.search(r"\d{4}", words) else [],
    }
    found = DateDataParser(settings=settings).get_date_data(words)
    at = found.date_obj
    if at is None or not FIRST_YEAR <= at.year < 9999:
        return None
    return _around(at, "day" if exact or found.period is None else found.period, 0)


def _around(at: datetime, unit: str, shift: int) -> Span:
    """Return the day, week (from Monday), month or year that contains a moment, moved by `shift` of them."""
    day = datetime(at.year, at.month, at.day)
    if unit == "year":
        return _whole(at.year + shift)
    if unit == "month":
        return _months(at.year, at.month + shift, 1)
    if unit == "week":
        monday = day - timedelta(days=day.weekday()) + timedelta(weeks=shift)
        return Span(monday, monday + timedelta(weeks=1))
    return Span(day + timedelta(days=shift), day + timedelta(days=shift + 1))


def _whole(year: int) -> Span:
    return _months(year, 1, 12)


def _months(year: int, month: int, count: int) -> Span:
    first, end = divmod(12 * year + month - 1, 12), divmod(12 * year + month - 1 + count, 12)
    return Span(datetime(first[0], first[1] + 1, 1), datetime(end[0], end[1] + 1, 1))


def _iso(year: int, month: int, day: int | None = None) -> Span | None:
    try:
        return _around(datetime(year, month, day or 1), "day" if day else "month", 0)
    except ValueError:  # there is no such day
        return None


def _season(name: str, year: int) -> Span:
    return _months(year, STARTS[name], 3)


def _near_season(which: str, name: str, now: datetime) -> Span:
    """Return this season (the latest that has begun) or the last one (the latest that is over)."""
    newest = next(span for year in (now.year, now.year - 1) if (span := _season(name, year)).since <= now)
    if which == "last" and newest.until > now:
        return _season(name, newest.since.year - 1)
    return newest


def _near_month(name: str, now: datetime, *, last: bool) -> Span:
    number = 1 + next(place for place, month in enumerate(MONTHS.split()) if re.fullmatch(month, name.rstrip(".")))
    this = _months(now.year, number, 1)
    return _months(now.year - 1, number, 1) if this.since > now or (last and this.until > now) else this
