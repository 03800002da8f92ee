"""The result types of long tasks, measurements and lists. Does not know how they are computed or shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from .records import REMARKS, AttributedText, Facts, Item, Problem, ScannedFile, Status


@dataclass(frozen=True)
class Plan:
    """What an indexing run is going to do to the library."""

    added: tuple[ScannedFile, ...] = ()
    changed: tuple[ScannedFile, ...] = ()
    retried: tuple[ScannedFile, ...] = ()  # failed before, changed since
    unembedded: tuple[ScannedFile, ...] = ()  # in the library, but not embedded by the requested model
    unchanged: int = 0
    failed_before: int = 0  # failed before, not changed since: not tried again
    reread: tuple[ScannedFile, ...] = ()  # in the library, but their metadata is to be read anew
    returned: tuple[ScannedFile, ...] = ()  # were absent, and are there again as they were
    gone: tuple[Path, ...] = ()  # not found any more; what is known of them is kept
    standby: tuple[ScannedFile, ...] = ()  # RAW files that are indexed if the picture beside them cannot be used
    problems: tuple[Problem, ...] = ()
    gone_roots: tuple[Path, ...] = ()  # indexed folders that the run was not asked about, and that are not there
    solved: tuple[Path, ...] = ()  # files and folders with a recorded problem that are not there any more
    passed_over: dict[Path, dict[str, int]] = field(default_factory=dict)  # files by unused ending, of each folder
    notes: tuple[str, ...] = ()  # remarks for the user, one line each

    @property
    def todo(self) -> tuple[ScannedFile, ...]:
        """All files that the run must read."""
        return self.added + self.changed + self.retried + self.unembedded + self.reread


@dataclass(frozen=True)
class Report:
    """What an indexing run did."""

    added: int = 0
    changed: int = 0
    moved: int = 0
    duplicates: int = 0  # new files whose picture was already known
    removed: int = 0  # absent files that were forgotten
    absent: int = 0  # files that are not there any more; what is known of them is kept
    returned: int = 0  # files that were absent, and are there again
    reread: int = 0  # known files whose metadata was read anew
    unchanged: int = 0
    encoded: int = 0  # pictures that went through the model
    texts: int = 0  # texts that went through the model
    captions: int = 0  # captions linked to pictures
    problems: tuple[Problem, ...] = ()
    failed_before: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    model: str = ""
    passed_over: dict[str, int] = field(default_factory=dict)  # files by an ending that is not indexed
    notes: tuple[str, ...] = ()  # remarks for the user, one line each

    @property
    def reasons(self) -> dict[str, int]:
        """The number of problems by reason, of what could not be used."""
        return dict(Counter(problem.reason for problem in self.problems if problem.reason not in REMARKS))

    @property
    def remarks(self) -> dict[str, int]:
        """The number of problems by reason, of files that are in the library all the same."""
        return dict(Counter(problem.reason for problem in self.problems if problem.reason in REMARKS))

    @property
    def rate(self) -> float:
        """Pictures encoded per second; 0 if no time was measured."""
        return self.encoded / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Classification:
    """The label that fits one picture best, and the scores of all labels."""

    path: Path
    item: int
    label: str
    margin: float  # the best label's score minus the second best's
    scores: dict[str, float]  # of every label, best first: cosines, or a model's P(yes)


@dataclass(frozen=True)
class CaptionReport:
    """What a captioning run did."""

    captioned: int = 0
    settled: int = 0  # pictures that already had a caption
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    interrupted: bool = False
    model: str = ""


@dataclass(frozen=True)
class OcrReport:
    """What an OCR run did."""

    read: int = 0
    with_text: int = 0
    settled: int = 0  # pictures that an earlier run has read
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    interrupted: bool = False
    engine: str = ""


@dataclass(frozen=True)
class SidecarReport:
    """What a run did to XMP sidecars."""

    written: int = 0
    undone: int = 0
    unchanged: int = 0
    kept: int = 0  # pictures whose own description was left unchanged
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class ModelInfo:
    """One row of the list of models."""

    name: str
    parameters: float | None = None  # millions
    dimensions: int | None = None
    image_size: int | None = None  # pixels
    languages: str = ""
    licence: str = ""
    download: float | None = None  # megabytes
    installed: bool = False
    note: str = ""


@dataclass(frozen=True)
class VlmInfo:
    """One row of the list of vision-language models."""

    family: str
    route: str  # transformers (local), or endpoint (a server)
    repositories: tuple[str, ...]
    sizes: tuple[float, ...]  # billions of parameters
    licence: str
    commercial: str
    resolution: str
    abilities: tuple[str, ...]
    installed: tuple[str, ...] = ()  # the repositories that are on this machine
    note: str = ""


@dataclass(frozen=True)
class RecallMetrics:
    """Recall@k and mean reciprocal rank of one direction, in percent."""

    recall: dict[int, float] = field(default_factory=dict)
    mrr: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """Retrieval metrics in both directions on one set of pictures and captions."""

    text_to_image: RecallMetrics
    image_to_text: RecallMetrics
    images: int
    captions: int
    model: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Gain:
    """The change of a metric in percentage points, and its 95% confidence interval."""

    points: float
    low: float
    high: float


@dataclass(frozen=True)
class Reranking:
    """Text-to-image metrics of the encoder alone and with reranking by a vision-language model."""

    before: RecallMetrics
    after: RecallMetrics
    gains: dict[str, Gain]
    images: int
    captions: int
    depth: int  # how many pictures were judged for each caption
    weight: float
    best_weight: float  # the best weight on this same set
    model: str


@dataclass(frozen=True)
class ItemSummary:
    """The fields of a file that a grid of results needs."""

    item: int
    content: int
    path: Path
    width: int = 0  # pixels, upright
    height: int = 0
    taken_at: datetime | None = None
    second: float | None = None  # of a video's frame
    digest: str = ""  # of the bytes of the file, as of a hit

    @classmethod
    def of(cls, item: Item, digest: str) -> ItemSummary:
        """Return the summary of an item whose content has this digest."""
        facts = item.facts
        return cls(item.id, item.content, item.path, facts.width, facts.height, facts.taken_at, item.second, digest)


@dataclass(frozen=True)
class StoredThumbnail:
    """What is stored of an item's picture."""

    item: int
    digest: str  # of the bytes of the file, as of a hit
    data: bytes | None  # WebP; None: there is none


@dataclass(frozen=True)
class ItemDetails(ItemSummary):
    """Everything that is known of a file."""

    bytes: int = 0  # size of the file
    facts: Facts = field(default_factory=Facts)
    place: tuple[str, str, str] = ("", "", "")  # city, region, country
    texts: tuple[AttributedText, ...] = ()
    copies: tuple[Path, ...] = ()  # the other files that hold the same picture


@dataclass(frozen=True)
class CallerInfo:
    """What a caller of a server may do, and what the server can do for them."""

    name: str
    scope: str  # read, write, admin
    folder: Path | None  # all that they may see; None: the whole library
    fetch: bool  # whether pictures can be searched by their web address
    originals: bool  # whether original files are given out
    vlm: str  # the vision-language model of the server
    abilities: tuple[str, ...] | None  # what that model can do, as `vlm.Ability` has it; None: it is not loaded yet


@dataclass(frozen=True)
class ServerStatus(Status):
    """What a server's library holds, and what this caller may do."""

    version: str = ""
    caller: CallerInfo | None = None
