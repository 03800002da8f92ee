"""The values that travel between rooms: frozen, typed, with their derived numbers as properties.

Knows what things are called; does not know where they are stored, how they are computed or shown.

The score rule: a score is the cosine of two unit embeddings, in [-1, 1], higher is better, everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

Vectors: TypeAlias = npt.NDArray[np.float32]  # (n, dimensions), unit rows
Ids: TypeAlias = npt.NDArray[np.int64]  # (n,)
Pixels: TypeAlias = npt.NDArray[Any]  # one picture as its encoder wants it
Look: TypeAlias = npt.NDArray[np.float16]  # (tokens, width): what a vision-language model sees of one picture

Mask: TypeAlias = npt.NDArray[np.float32]  # (height, width): how sure it is that a pixel belongs to something, 0 to 1

RAW_SUFFIXES = frozenset(  # files that are opened as camera RAW
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl "
    ".sr2 .srf .srw .x3f".split()
)


VIDEO_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .mts .m2ts .3gp .wmv .ogv".split()
)  # files that are opened as videos


class Kind(StrEnum):
    """What a content is."""

    PICTURE = "picture"
    TEXT = "text"


class Band(StrEnum):
    """How sure a hit is; see docs/confidence.md."""

    STRONG = "strong"
    LIKELY = "likely"
    WEAK = "weak"
    UNKNOWN = ""  # the model, or the query, gives no reading


Threshold: TypeAlias = Literal["strong", "likely", "weak", "none"]  # the least sure hits that are shown; none: all


Order: TypeAlias = Literal["score", "date", "diverse"]  # of hits: the best, the newest, or different ones first


Format: TypeAlias = Literal["npy", "parquet", "csv", "webdataset"]  # in which pictures leave the library


class Reason(StrEnum):
    """Why a file could not be used; the words are stable and safe to match in scripts."""

    EMPTY = "empty"
    NOT_A_PICTURE = "not-a-picture"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"
    UNSUPPORTED = "unsupported"
    BAD_ROW = "bad-row"
    MISSING_PICTURE = "missing-picture"


@dataclass(frozen=True)
class Space:
    """One model's embedding space; embeddings of two spaces are never compared."""

    model: str  # the spelling that loads it again
    dimensions: int
    fingerprint: str  # of weights and preprocessing: a changed checkpoint is another space


@dataclass(frozen=True)
class Facts:
    """What a file says of its picture, beside the pixels. Everything may be unknown."""

    width: int = 0  # pixels, upright
    height: int = 0
    format: str = ""
    taken_at: datetime | None = None  # with a time zone where the file gives one
    camera: str = ""
    lens: str = ""
    latitude: float | None = None  # degrees, north positive
    longitude: float | None = None  # degrees, east positive
    orientation: int = 1  # as EXIF numbers it; the pixels are already upright
    title: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    rating: int | None = None  # 0 to 5, -1 for rejected

    @property
    def texts(self) -> tuple[str, ...]:
        """The file's own words on the picture, without repetition."""
        return tuple(dict.fromkeys(text for text in (self.title, self.description) if text))


@dataclass(frozen=True)
class Picture:
    """One decoded picture: upright, sRGB, 8 bits a channel, perhaps reduced in size."""

    image: Image
    facts: Facts


@dataclass(frozen=True)
class Found:
    """A picture file that a source came upon."""

    path: Path
    size: int  # bytes
    mtime_ns: int
    sidecar_mtime_ns: int = 0  # of its XMP or text file, 0 without one


@dataclass(frozen=True)
class Caption:
    """One text of a caption file, with the picture it belongs to, if any."""

    text: str
    picture: Path | None
    origin: str  # the file it came from


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
    second: float | None = None  # of a frame
    place: tuple[str, str, str] = ("", "", "")  # city, region, country; empty where no coordinates are known


@dataclass(frozen=True)
class ByText:
    """A query in words."""

    text: str


@dataclass(frozen=True)
class ByFile:
    """A query by a picture file, in the library or not."""

    path: Path


@dataclass(frozen=True)
class ByBytes:
    """A query by the bytes of a picture file."""

    data: bytes


@dataclass(frozen=True)
class ByItem:
    """A query by a picture of the library; it is not among its own answers."""

    item: int


@dataclass(frozen=True)
class ByVector:
    """A query by an embedding of the library's model, (dimensions,); its length does not matter."""

    vector: Vectors


@dataclass(frozen=True)
class ByTaught:
    """A query by a taught word, whose examples the library keeps."""

    name: str


Query: TypeAlias = ByText | ByFile | ByBytes | ByItem | ByVector | ByTaught


@dataclass(frozen=True)
class Judgement:
    """A vision-language model's verdict on one picture and one query."""

    yes: float  # how probable yes is against no, in [0, 1]
    mass: float = 1.0  # how much of the model's answer was yes or no at all; near 0 it did not take the question up


@dataclass(frozen=True)
class Hit:
    """One answer: a picture or a text with its score (see the score rule above)."""

    rank: int  # from 1
    score: float | None  # none where nothing was looked for: filters alone
    kind: Kind
    content: int
    path: Path | None = None  # of a picture; the first, where several files hold the same picture
    copies: tuple[Path, ...] = ()  # the other files that hold it
    text: str = ""  # of a text hit; of a picture, its first caption
    item: int | None = None
    verdict: Judgement | None = None  # a vision-language model's, where one was asked
    second: float | None = None  # of a video, where it is shown
    taken_at: datetime | None = None  # by the camera's clock
    confidence: float | None = None  # how probable it is that this is the one that was meant
    band: Band = Band.UNKNOWN
    boxes: tuple[Box, ...] = ()  # where the picture shows the words of the query
    beneath: tuple[Path, ...] = ()  # pictures that show nearly the same and stand under it
    sources: tuple[str, ...] = ()  # what brought it up: pixels, captions (their meaning), words (their letters)
    width: int = 0  # of a picture, in pixels, upright
    height: int = 0


@dataclass(frozen=True)
class Budget:
    """How much a rerank may cost."""

    seconds: float | None = None  # None: as long as it takes
    depth: int = 50  # of the encoder's hits, how many may be looked at
    anyway: bool = False  # also where the model was measured not to help


@dataclass(frozen=True)
class Answer:
    """The hits of one query, best first, and what they were taken from."""

    query: str
    hits: tuple[Hit, ...]
    searched: int  # how many pictures or texts were compared
    model: str
    seconds: float = 0.0
    notes: tuple[str, ...] = ()  # what the reader should know, one line each
    generated: str = ""  # of a captions query that asked for it: a vision-language model's own words
    match: float | None = None  # how probable it is that something here looks like the query
    nothing: bool = False  # whether that is so improbable that the answer is "nothing here looks like that"
    facets: dict[str, list[tuple[str, int]]] | None = None  # how many there are of each year, camera ..., if asked for
    cursor: str = ""  # where the next page begins; empty after the last, and where no pages were asked for


@dataclass(frozen=True)
class Step:
    """How far a long task is; sent to whoever shows progress."""

    task: str  # scan, pictures, texts
    done: int
    total: int | None = None  # None: not known yet
    answer: Answer | None = None  # of a search: what it has come to by then


def silent(_step: Step) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Status:
    """What a library holds."""

    path: Path
    items: int
    pictures: int
    texts: int
    captions: int
    problems: int
    spaces: tuple[Space, ...]
    serving: Space | None
    bytes: int
    writer: str = ""  # who is writing at the moment
    roots: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing that `check` found wrong, and whether it was mended."""

    what: str
    mended: bool = False


@dataclass(frozen=True)
class Box:
    """Where a picture shows something, in parts of its width and height from the top left corner."""

    label: str
    left: float
    top: float
    right: float
    bottom: float
    score: float | None = None  # where the model gives one
