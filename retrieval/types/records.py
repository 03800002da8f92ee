"""The value types that the package's modules exchange: frozen dataclasses, enums and array types.

Does not know how values are stored, computed or shown.

The score rule: a score is the cosine of two unit embeddings, in [-1, 1], higher is better, everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

Vectors: TypeAlias = npt.NDArray[np.float32]  # (n, dimensions), unit rows
Ids: TypeAlias = npt.NDArray[np.int64]  # (n,)
Pixels: TypeAlias = npt.NDArray[Any]  # one picture, preprocessed for its encoder
VisionFeatures: TypeAlias = npt.NDArray[
    np.float16
]  # (tokens, width): a vision-language model's features of one picture

Mask: TypeAlias = npt.NDArray[np.float32]  # (height, width): probability, 0 to 1, that a pixel belongs to the object

RAW_SUFFIXES = frozenset(  # suffixes of files that are opened as camera RAW
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl "
    ".sr2 .srf .srw .x3f".split()
)


VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .qt .mkv .webm .avi .mpg .mpeg .vob .mts .m2ts .ts .3gp .3g2 .wmv .asf .flv .ogv .insv".split()
)  # suffixes of files that are opened as videos


class Kind(StrEnum):
    """The type of a content: picture or text."""

    PICTURE = "picture"
    TEXT = "text"


class Band(StrEnum):
    """The confidence band of a hit; see docs/confidence.md."""

    STRONG = "strong"
    LIKELY = "likely"
    WEAK = "weak"
    UNKNOWN = ""  # no confidence is known for this model or query

    @property
    def rank(self) -> int:
        """The band's place, from 0 for the surest."""
        return list(Band).index(self)


Threshold: TypeAlias = Literal["strong", "likely", "weak", "none"]  # the lowest band that is shown; none: all hits


Order: TypeAlias = Literal["score", "date", "diverse"]  # of hits: best first, newest first, or diversified


Format: TypeAlias = Literal["npy", "parquet", "csv", "webdataset"]  # of an export


class Reason(StrEnum):
    """Why a file could not be used; the values are stable, so scripts may match on them."""

    EMPTY = "empty"
    NOT_A_PICTURE = "not-a-picture"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"
    UNSUPPORTED = "unsupported"
    DAMAGED = "damaged"  # a part is missing; the rest is used
    BAD_METADATA = "bad-metadata"  # of a file that is used all the same
    BAD_ROW = "bad-row"
    MISSING_PICTURE = "missing-picture"


REMARKS = (Reason.DAMAGED, Reason.BAD_METADATA)  # reasons of files that are in the library all the same


@dataclass(frozen=True)
class Space:
    """One model's embedding space; embeddings of different spaces are never compared."""

    model: str  # the name that loads the model again
    dimensions: int
    fingerprint: str  # of weights and preprocessing: a changed checkpoint makes a new space


class DatePrecision(StrEnum):
    """How exactly a date is known; the span begins at `Facts.taken_at`. The most exact one comes first."""

    SECOND = "second"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    @property
    def coarseness(self) -> int:
        """0 for the most exact one, and more for those that follow."""
        return list(DatePrecision).index(self)


def last_second(at: datetime, precision: DatePrecision) -> datetime:
    """Return the last second of the day, month or year that begins at a moment, without a time zone."""
    start = at.replace(tzinfo=None)
    match precision:
        case DatePrecision.YEAR:
            return datetime(start.year, 12, 31, 23, 59, 59)
        case DatePrecision.MONTH:
            following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        case DatePrecision.DAY:
            following = start + timedelta(days=1)
        case _:
            return start
    return following - timedelta(seconds=1)


@dataclass(frozen=True)
class Facts:
    """A file's metadata; any of it may be unknown."""

    width: int = 0  # pixels, after rotating the picture upright
    height: int = 0
    format: str = ""
    taken_at: datetime | None = None  # with a time zone if the file gives one
    camera: str = ""
    lens: str = ""
    latitude: float | None = None  # degrees, north positive
    longitude: float | None = None  # degrees, east positive
    orientation: int = 1  # the EXIF value; decoded pixels are already upright
    title: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    rating: int | None = None  # 0 to 5, -1 for rejected
    date_precision: DatePrecision = DatePrecision.SECOND
    date_from_name: bool = False  # whether `taken_at` was read from the file's name, for want of anything better
    comments: tuple[str, ...] = ()  # other texts about the picture: EXIF's and Windows' comments, those of JPEG and PNG
    people: tuple[str, ...] = ()  # names of people in the picture, which are keywords, too
    place: tuple[str, str, str] = ("", "", "")  # city, region, country: as the file says, else of the coordinates
    iso: int | None = None  # sensitivity
    aperture: float | None = None  # the f-number
    focal_length: float | None = None  # millimetres
    exposure: float | None = None  # seconds
    damaged: bool = False  # whether a part of the picture is missing; what is there was used

    @property
    def taken_to(self) -> datetime | None:
        """The last second of the day, month or year that the date names; None if the moment itself is known."""
        if self.taken_at is None or self.date_precision is DatePrecision.SECOND:
            return None
        return last_second(self.taken_at, self.date_precision)

    @property
    def texts(self) -> tuple[str, ...]:
        """The non-empty texts about the picture, without duplicates: title, description, comments."""
        return tuple(dict.fromkeys(text for text in (self.title, self.description, *self.comments) if text))


@dataclass(frozen=True)
class Picture:
    """One decoded picture: upright, sRGB, 8 bits per channel, possibly downscaled."""

    image: Image
    facts: Facts


@dataclass(frozen=True)
class ScannedFile:
    """A picture or video file found by scanning a source."""

    path: Path
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int = 0  # when the file or its attributes last changed; 0: not known
    sidecar_digest: str = ""  # changes whenever one of its sidecars changes, comes or goes
    sidecars: tuple[Path, ...] = ()  # XMP files, text files and Google Takeout's JSON beside it
    part_of: Path | None = None  # the picture that a RAW file or the film of a live photo may be part of


@dataclass(frozen=True)
class Caption:
    """One text of a caption file, with the picture it belongs to, if any."""

    text: str
    picture: Path | None
    origin: str  # the file it came from
    model: str = ""  # that wrote it; empty: a person


@dataclass(frozen=True)
class Problem:
    """One input that could not be used, and why."""

    path: Path
    reason: str
    message: str


@dataclass(frozen=True)
class Item:
    """One picture file of the library, or one frame of a video file."""

    id: int
    path: Path
    content: int
    facts: Facts
    second: float | None = None  # position of a frame in its video, in seconds
    place: tuple[str, str, str] = ("", "", "")  # city, region, country; empty if the coordinates are unknown


@dataclass(frozen=True)
class ByText:
    """A text query."""

    text: str


@dataclass(frozen=True)
class ByFile:
    """A query by example: a picture file, inside or outside the library."""

    path: Path


@dataclass(frozen=True)
class ByBytes:
    """A query by example: the bytes of a picture file."""

    data: bytes


@dataclass(frozen=True)
class ByItem:
    """A query by example: an item of the library, which is excluded from its own hits."""

    item: int


@dataclass(frozen=True)
class ByVector:
    """A query by an embedding of the library's model, (dimensions,); it need not have unit length."""

    vector: Vectors


@dataclass(frozen=True)
class ByTaught:
    """A query by a taught word (a concept), whose examples the library stores."""

    name: str


Query: TypeAlias = ByText | ByFile | ByBytes | ByItem | ByVector | ByTaught


@dataclass(frozen=True)
class Judgement:
    """A vision-language model's verdict on one picture and one query."""

    yes: float  # probability of yes against no, in [0, 1]
    mass: float = 1.0  # share of the answer that was yes or no at all; near 0, the model did not answer the question


@dataclass(frozen=True)
class Hit:
    """One search result: a picture or a text with its score (see the score rule above)."""

    rank: int  # from 1
    score: float | None  # None for queries with filters only
    kind: Kind
    content: int
    path: Path | None = None  # the first file with this content; for a text, of a picture it describes
    copies: tuple[Path, ...] = ()  # the other such files
    text: str = ""  # the text; for a picture, its first caption
    item: int | None = None
    verdict: Judgement | None = None  # of a vision-language model, if one was asked
    second: float | None = None  # position of a frame in its video, in seconds
    taken_at: datetime | None = None  # by the camera's clock
    confidence: float | None = None  # probability that this hit is the one that was meant
    band: Band = Band.UNKNOWN
    by: str = ""  # which of its texts gave it this band, if its pixels did not: name, folder, caption, ...
    boxes: tuple[Box, ...] = ()  # lines of text in the picture (OCR) that contain a word of the query
    beneath: tuple[Path, ...] = ()  # near-duplicates, folded under this hit
    beneath_items: tuple[int, ...] = ()  # their items
    sources: tuple[str, ...] = ()  # what found it: pixels, captions (embeddings), words (full text)
    width: int = 0  # of a picture, in pixels, upright
    height: int = 0
    digest: str = ""  # of the bytes of its file (BLAKE2b, hexadecimal; of a frame, with `@` and its second)


@dataclass(frozen=True)
class Budget:
    """The limits of one rerank."""

    seconds: float | None = None  # None: no time limit
    depth: int = 50  # how many of the encoder's hits may be checked
    anyway: bool = False  # rerank even where measurements say that it does not help


@dataclass(frozen=True)
class Suggestion:
    """Another query that may be meant."""

    query: str
    kind: str  # what a word of the query is: camera, person, place, keyword, folder; or spelling
    count: int | None = None  # how many pictures it finds; None: not known


@dataclass(frozen=True)
class Answer:
    """The hits of one query, in order, and how they were found."""

    query: str
    hits: tuple[Hit, ...]
    searched: int  # how many pictures or texts were compared
    model: str
    seconds: float = 0.0
    notes: tuple[str, ...] = ()  # remarks for the user, one line each
    generated: str = ""  # a caption written by a vision-language model, if a captions query asked for it
    match: float | None = None  # probability that anything in the library matches the query
    nothing: bool = False  # whether that is so improbable that the answer is "nothing here looks like that"
    facets: dict[str, list[tuple[str, int]]] | None = None  # counts by year, camera and so on, if requested
    cursor: str = ""  # of the next page; empty on the last page and without pagination
    total: int = 0  # how many pictures or texts the library has; `searched` are those that pass the filters
    suggestions: tuple[Suggestion, ...] = ()  # other queries that may be meant, where this answer is weak or empty
    bands: dict[str, int] | None = None  # how many hits of each band all pages have; None: they were not counted


@dataclass(frozen=True)
class Progress:
    """The progress of a long task, as passed to progress callbacks."""

    task: str  # scan, pictures, texts
    done: int
    total: int | None = None  # None: not known yet
    answer: Answer | None = None  # of a search: the answer so far


def no_progress(_step: Progress) -> None:
    """Do nothing; the default progress callback."""


@dataclass(frozen=True)
class Status:
    """The contents and the state of a library."""

    path: Path
    items: int
    pictures: int
    texts: int
    captions: int
    problems: int
    spaces: tuple[Space, ...]
    serving: Space | None
    bytes: int
    writer: str = ""  # the process that is writing, in words; empty if none is
    roots: tuple[Path, ...] = ()
    absent: int = 0  # files that are not there now; what is known of them is kept
    passed_over: dict[str, int] = field(default_factory=dict)  # files in the roots by an ending that is not indexed


@dataclass(frozen=True)
class Finding:
    """One fault that `check` found, and whether it was repaired."""

    what: str
    mended: bool = False


@dataclass(frozen=True)
class Box:
    """A labelled box in a picture; its sides are fractions of the width and height, from the top left corner."""

    label: str
    left: float
    top: float
    right: float
    bottom: float
    score: float | None = None  # None if the model gives none


@dataclass(frozen=True)
class AttributedText:
    """A text of a picture, and where it comes from."""

    text: str
    source: str  # file, sidecar, metadata, edited (by hand), generated (by a model)
    model: str = ""  # of a generated text
