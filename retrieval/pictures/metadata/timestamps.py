"""Dates as cameras, phones and programs write them, with how exact they are; placeholders are no dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from enum import IntEnum
from pathlib import PurePath

from ...types.records import DatePrecision, last_second

EARLIEST, LATEST = 1826, 9000  # the year of the first photograph, and years that are no date
WRITTEN = re.compile(
    r"(?P<year>\d{4})(?:[:\-/.\s]?(?P<month>\d{2})(?:[:\-/.\s]?(?P<day>\d{2})"
    r"(?:[T\s_:\-]*(?P<hour>\d{2})[:.\-h]?(?P<minute>\d{2})(?:[:.\-m]?(?P<second>\d{2})(?:[.,]\d*)?)?"
    r"\s*(?P<zone>Z|[+-]\d{1,2}:?\d{2})?)?)?)?"
)
SINGLE = re.compile(r"^(\d{4})[:\-/.年]\s*(\d{1,2})[:\-/.月]\s*(\d{1,2})日?(?!\d)")  # 2019-5-6, 2019: 5: 6
CLOCK = re.compile(r"(?<=[\sT])(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?!\d)")  # 9:11:12
HALF = re.compile(r"\s*\b([AP])\.?M\.?$")
ZONE_NAME = re.compile(r"(?<=\d)\s+(?!AM$|PM$)[A-Z]{2,5}$")  # CEST
MAIL = re.compile(r"^[A-Za-z]{3},?\s+\d{1,2}\s+[A-Za-z]{3}\s+\d{4}")  # Mon, 06 May 2019 10:11:12 +0200
DEVICES = range(2, 9)  # ranks of dates that devices write, where the first day of their calendar is no date
IN_NAMES = re.compile(
    r"(?<![0-9])(?P<year>(?:19|20)\d\d)(?P<mark>[-_.]?)(?P<month>0[1-9]|1[0-2])(?P=mark)(?P<day>0[1-9]|[12]\d|3[01])"
    r"(?:[-_. t]*(?:at |um |à )?(?P<hour>2[0-3]|[01]\d|\d(?=[-_.h:]))[-_.h:]?"
    r"(?P<minute>[0-5]\d)[-_.m:]?(?P<second>[0-5]\d)(?:\s*(?P<half>[ap])m\b)?|(?![0-9]))"
)
WORD_BEFORE = re.compile(
    r"(?:^|[^a-z0-9]|img|img_e|vid|pxl|mvimg|pano|burst|dsc|dji|screenshot|signal|photo|video|scan)$"
)
DAY_FIRST = re.compile(r"^(?:photo|video|file|audio)_\d+@(\d\d)-(\d\d)-(\d{4})_(\d\d-\d\d-\d\d)")
EPOCH_IN_NAME = re.compile(r"^(?:fb_img|received|mmexport|wx_camera|snapchat)[-_]?(1\d{12})(?!\d)")


class Rank(IntEnum):
    """How much a date counts when several fields have one: the least first."""

    SIDECAR = 0  # what an XMP sidecar says about when the picture was taken
    XMP = 1  # what XMP in the file says
    ORIGINAL = 2  # EXIF's DateTimeOriginal, a film's own clock
    IPTC = 3
    TAKEOUT = 4
    DIGITIZED = 5
    CREATED = 6  # XMP's CreateDate
    CHANGED = 7  # EXIF's DateTime
    NAME = 8


@dataclass(frozen=True)
class Moment:
    """When a picture was taken, by one field."""

    at: datetime
    precision: DatePrecision
    rank: Rank

    @property
    def coarseness(self) -> int:
        """0 if the second is known, and more the less is."""
        return self.precision.coarseness


def read_moment(text: str, rank: Rank, offset: str = "") -> Moment | None:
    """Return the moment that a text says, with a zone from the text or else from `offset`; None if it says none.

    A year, a month or a day alone is kept as such. Hour 24 and second 60 are the start of what follows.
    """
    text, shift = _regular(text)
    found = WRITTEN.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(found[name] or 0) for name in ("year", "month", "day"))
    precision = DatePrecision.DAY if found["hour"] is None else DatePrecision.SECOND
    if not day:
        precision = DatePrecision.MONTH if month else DatePrecision.YEAR
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    hour = hour if shift is None else hour % 12 + shift
    if precision is not DatePrecision.SECOND:
        hour = minute = second = 0
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        return None
    if not EARLIEST <= year <= LATEST:
        return None
    try:
        at = datetime(year, month or 1, day or 1) + timedelta(hours=hour, minutes=minute, seconds=second)
    except (ValueError, OverflowError):  # there is no such day
        return None
    by_device = precision is DatePrecision.SECOND or (precision is DatePrecision.DAY and rank in DEVICES)
    if by_device and is_placeholder(at):
        return None
    zone = read_zone(found["zone"] or offset) if precision is DatePrecision.SECOND else None
    return Moment(at.replace(tzinfo=zone), precision, rank)


def _regular(text: str) -> tuple[str, int | None]:
    """Return a date with two digits for each part, and the hours to add if it was written with AM or PM."""
    text = text.strip()
    if MAIL.match(text):
        try:
            return parsedate_to_datetime(text).isoformat(), None
        except ValueError:
            return text, None
    text = ZONE_NAME.sub("", text.upper())
    half = HALF.search(text)
    text = HALF.sub("", text)
    text = SINGLE.sub(lambda m: f"{m[1]}-{int(m[2]):02}-{int(m[3]):02}", text)
    text = CLOCK.sub(lambda m: ":".join(f"{int(part):02}" for part in m.groups() if part), text)
    text = re.sub(r"([+-]\d\d)$", r"\1:00", text) if re.search(r"\d\d:\d\d[+-]\d\d$", text) else text
    return text, None if half is None else 12 if half[1] == "P" else 0


def is_placeholder(at: datetime) -> bool:
    """Whether a moment is what a device without a clock writes: the zero of its calendar, in some time zone."""
    bare = at.replace(tzinfo=None)
    zeros = (datetime(1970, 1, 1), datetime(1904, 1, 1), datetime(1980, 1, 1))
    return bare.year < EARLIEST or (
        not (bare.minute or bare.second) and any(abs(bare - zero) <= timedelta(hours=14) for zero in zeros)
    )


def read_zone(offset: str) -> timezone | None:
    """Return the time zone of `+02:00` or `Z`; None for any other text."""
    found = re.fullmatch(r"([+-])(\d{1,2}):?(\d\d)", offset)
    if not found:
        return UTC if offset == "Z" else None
    span = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-span if found[1] == "-" else span) if span < timedelta(hours=24) else None


def in_file_name(name: str) -> Moment | None:
    """Return the moment in the file name that a phone or messenger gave: `IMG_20190506_101112`, `IMG-20190506-WA1`."""
    stem = PurePath(name).stem.lower()
    if match := EPOCH_IN_NAME.match(stem):
        at = datetime.fromtimestamp(int(match[1]) / 1000, UTC).astimezone().replace(microsecond=0)
        return Moment(at, DatePrecision.SECOND, Rank.NAME)
    if match := DAY_FIRST.search(stem):  # Telegram's photo_5@06-05-2019_10-11-12
        stem = f"{match[3]}-{match[2]}-{match[1]}_{match[4]}"
    for found in IN_NAMES.finditer(stem):
        if not WORD_BEFORE.search(stem[: found.start()]):
            continue
        numbers = [int(found[part] or 0) for part in ("year", "month", "day", "hour", "minute", "second")]
        if found["half"]:
            numbers[3] = numbers[3] % 12 + (12 if found["half"] == "p" else 0)
        try:
            at = datetime(*numbers)  # type: ignore[arg-type]  # six numbers
        except ValueError:
            continue
        if is_placeholder(at):
            continue
        if found["hour"] is None:
            return Moment(at, DatePrecision.DAY, Rank.NAME)
        if stem.startswith("pxl_"):  # Pixel phones name files by UTC
            at = at.replace(tzinfo=UTC).astimezone()
        return Moment(at, DatePrecision.SECOND, Rank.NAME)
    return None


def choose(moments: list[Moment]) -> Moment | None:
    """Return the moment that counts: that of the best field, or a more exact one that agrees with it."""
    if not moments:
        return None
    best = min(moments, key=lambda moment: moment.rank)
    exact = [each for each in moments if each.coarseness < best.coarseness and _within(each.at, best)]
    if best.rank is Rank.TAKEOUT:  # UTC without a zone: a camera's own clock near it says the same, more exactly
        exact += [each for each in moments if each.rank > best.rank and _near(each.at, best.at)]
    return min(exact, key=lambda moment: (moment.coarseness, moment.rank)) if exact else best


def corrected(moments: list[Moment]) -> list[Moment]:
    """Return the moments without those that Google Takeout's date contradicts by more than a day.

    Takeout has what a person corrected there, but in UTC: a camera's own clock within a day of it is kept.
    """
    takeout = next((each for each in moments if each.rank is Rank.TAKEOUT), None)
    if takeout is None:
        return moments
    return [each for each in moments if each.rank <= Rank.XMP or each is takeout or _near(each.at, takeout.at)]


def _near(one: datetime, other: datetime) -> bool:
    return abs(one.replace(tzinfo=None) - other.replace(tzinfo=None)) <= timedelta(hours=26)


def _within(at: datetime, span: Moment) -> bool:
    """Whether a moment lies in the year, month or day that another one names."""
    start, end = span.at.replace(tzinfo=None), last_second(span.at, span.precision)
    return start <= at.replace(tzinfo=None) <= end
