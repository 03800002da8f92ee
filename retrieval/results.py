"""The values that measuring models, and listing them, gives back. Does not know how they are computed or shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from .records import Problem


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
