"""The values that long tasks, measurements and lists give back. Does not know how they are computed or shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .records import Found, Problem


@dataclass(frozen=True)
class Plan:
    """What an indexing run will do to the library, before it does anything."""

    added: tuple[Found, ...] = ()
    changed: tuple[Found, ...] = ()
    retried: tuple[Found, ...] = ()  # failed before, changed since
    unembedded: tuple[Found, ...] = ()  # known, but not to the model that is asked for
    unchanged: int = 0
    failed_before: int = 0  # failed before, not changed since: not tried again
    gone: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def todo(self) -> tuple[Found, ...]:
        """Every file that must be read."""
        return self.added + self.changed + self.retried + self.unembedded


@dataclass(frozen=True)
class Report:
    """What an indexing run did."""

    added: int = 0
    changed: int = 0
    moved: int = 0
    duplicates: int = 0  # new files whose picture was already known
    removed: int = 0
    unchanged: int = 0
    encoded: int = 0  # pictures that went through the model
    texts: int = 0  # texts that went through the model
    captions: int = 0  # captions linked
    problems: tuple[Problem, ...] = ()
    failed_before: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    model: str = ""

    @property
    def reasons(self) -> dict[str, int]:
        """How many problems there were of each reason."""
        return dict(Counter(problem.reason for problem in self.problems))

    @property
    def rate(self) -> float:
        """Pictures encoded a second."""
        return self.encoded / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Labelled:
    """Which label fits one picture best."""

    path: Path
    item: int
    label: str
    margin: float  # between the best label's score and the second's
    scores: dict[str, float]  # of every label, best first: cosines, or a model's P(yes)


@dataclass(frozen=True)
class Described:
    """What a captioning run did."""

    captioned: int = 0
    settled: int = 0  # pictures that were captioned or edited before
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    interrupted: bool = False
    model: str = ""


@dataclass(frozen=True)
class Transcribed:
    """What a run that reads text in pictures did."""

    read: int = 0
    with_text: int = 0
    settled: int = 0  # pictures that were read before
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    interrupted: bool = False
    engine: str = ""


@dataclass(frozen=True)
class Sidecars:
    """What a run did to XMP sidecars."""

    written: int = 0
    undone: int = 0
    unchanged: int = 0
    kept: int = 0  # pictures with a description of their own, which stays
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class ModelInfo:
    """A row of the table of models."""

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
    """A row of the table of vision-language models."""

    family: str
    route: str  # transformers, or endpoint: through a server
    repositories: tuple[str, ...]
    sizes: tuple[float, ...]  # billions of parameters
    licence: str
    commercial: str
    resolution: str
    abilities: tuple[str, ...]
    installed: tuple[str, ...] = ()  # of the repositories, those on this machine
    note: str = ""


@dataclass(frozen=True)
class Metrics:
    """Recall@k and mean reciprocal rank of one direction, in percent."""

    recall: dict[int, float] = field(default_factory=dict)
    mrr: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """Both directions on one set of pictures and captions."""

    text_to_image: Metrics
    image_to_text: Metrics
    images: int
    captions: int
    model: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Gain:
    """By how many percent points a number changed, and the 95% interval of that."""

    points: float
    low: float
    high: float


@dataclass(frozen=True)
class Reranking:
    """Text to image, by the encoder alone and with a vision-language model."""

    before: Metrics
    after: Metrics
    gains: dict[str, Gain]
    images: int
    captions: int
    depth: int  # of each caption's pictures, how many were judged
    weight: float
    best_weight: float  # the weight that would have been best on this very set
    model: str
