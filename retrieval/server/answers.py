"""The forms of the answers of the HTTP API that are not types of the package, for its description and for clients."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Any, Literal, get_type_hints

from ..transfer.duplicates import DuplicateGroup
from ..types.explanations import Why
from ..types.job import Job
from ..types.records import Answer, AttributedText, Box, Problem
from ..types.results import ItemSummary, ModelInfo


def form(of: type, **other: Any) -> type:
    """Return a dataclass like another one, with other types for some fields: those that JSON Schema does not know."""
    hints = get_type_hints(of)
    made: list[Any] = []
    for each in fields(of):
        default = [] if each.default is MISSING else [field(default=each.default)]
        made.append((each.name, other.get(each.name, hints[each.name]), *default))
    return make_dataclass(of.__name__, made, frozen=True, namespace={"__doc__": of.__doc__})


WhyForm = form(Why, heat=list[list[float]] | None)


@dataclass(frozen=True)
class ItemPage:
    """A page of files, and the item that the next page begins after."""

    items: list[ItemSummary]
    next: int | None


@dataclass(frozen=True)
class ItemTexts:
    """The texts of a picture after a change."""

    item: int
    texts: list[AttributedText]


@dataclass(frozen=True)
class RemovedCaption(ItemTexts):
    """The caption that was removed, and the texts that are left."""

    removed: str


@dataclass(frozen=True)
class Months:
    """Months ("2023-06", or "" for files without a date) with their numbers of files, newest first."""

    months: list[tuple[str, int]]


@dataclass(frozen=True)
class Towns:
    """Towns, each with latitude and longitude (degrees), population and name."""

    towns: list[tuple[float, float, int, str]]


@dataclass(frozen=True)
class Points:
    """Files with coordinates: item, latitude and longitude (degrees)."""

    points: list[tuple[int, float, float]]


@dataclass(frozen=True)
class RootFolders:
    """The folders that may be indexed, by name."""

    roots: dict[str, Path]


@dataclass(frozen=True)
class JobList:
    """Indexing jobs, newest first."""

    jobs: list[Job]


@dataclass(frozen=True)
class Names:
    """Saved searches with their queries, and taught words with their numbers of positive and negative examples."""

    saved: dict[str, str]
    taught: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class SavedSearch:
    """A saved search."""

    name: str
    query: str


@dataclass(frozen=True)
class TaughtWord:
    """A taught word, with its numbers of positive and negative examples."""

    name: str
    yes: int
    no: int


@dataclass(frozen=True)
class Forgotten:
    """A name that was forgotten."""

    name: str


@dataclass(frozen=True)
class Understood:
    """How a query is read: the terms and filters of each alternative, remarks, and the words that are looked for."""

    query: str
    alternatives: list[list[str]]
    notes: list[str]
    words: str


@dataclass(frozen=True)
class QueryToken:
    """A token of the query language."""

    name: str
    example: str
    meaning: str


@dataclass(frozen=True)
class Language:
    """The tokens of the query language."""

    tokens: list[QueryToken]


Facets = dict[str, list[tuple[str, int]]]  # of each field, its values with their counts, most frequent first


@dataclass(frozen=True)
class WrittenText:
    """A caption that a model wrote."""

    text: str
    model: str


@dataclass(frozen=True)
class Said:
    """A model's answer to a question."""

    answer: str
    model: str


@dataclass(frozen=True)
class Boxes:
    """Where a picture shows something, in fractions of its width and height."""

    boxes: list[Box]
    model: str


@dataclass(frozen=True)
class Health:
    """That the process is alive."""

    status: Literal["ok"]
    version: str


@dataclass(frozen=True)
class Readiness:
    """Whether queries can be answered, or the type of the error."""

    status: Literal["ready", "not ready"]
    reason: str = ""


@dataclass(frozen=True)
class ProblemList:
    """The files that could not be used."""

    problems: list[Problem]


@dataclass(frozen=True)
class Encoders:
    """The encoders of this machine, and the name of the one in use."""

    encoders: list[ModelInfo]
    serving: str


@dataclass(frozen=True)
class DuplicateGroups:
    """Groups of duplicates, those that take most space first."""

    groups: list[DuplicateGroup]


@dataclass(frozen=True)
class LoggedIn:
    """Who logged in, and what they may do."""

    name: str
    scope: str  # read, write, admin


@dataclass(frozen=True)
class LoggedOut:
    """That the session has ended."""

    status: Literal["out"]


# --- OpenAI's forms ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """A model, as OpenAI's clients know it."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "retrieval"


@dataclass(frozen=True)
class ModelList:
    """Models, as OpenAI's clients list them."""

    data: list[Model]
    object: Literal["list"] = "list"


@dataclass(frozen=True)
class Usage:
    """Tokens of a request; what pictures take is counted where the model tells."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class Logprob:
    """A token with its log-probability."""

    token: str
    logprob: float


@dataclass(frozen=True)
class TokenLogprob(Logprob):
    """A token of the answer, with what else might have stood there."""

    top_logprobs: list[Logprob] = field(default_factory=list)


@dataclass(frozen=True)
class Logprobs:
    """The log-probabilities of an answer's tokens."""

    content: list[TokenLogprob]


@dataclass(frozen=True)
class AssistantMessage:
    """What the model says."""

    content: str
    role: Literal["assistant"] = "assistant"


@dataclass(frozen=True)
class Choice:
    """One answer."""

    message: AssistantMessage
    logprobs: Logprobs | None = None
    index: int = 0
    finish_reason: Literal["stop"] = "stop"


@dataclass(frozen=True)
class ChatCompletion:
    """An answer in OpenAI's form."""

    id: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    object: Literal["chat.completion"] = "chat.completion"


@dataclass(frozen=True)
class Embedding:
    """The embedding of one input: numbers, or base64 of float32 (little-endian)."""

    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


@dataclass(frozen=True)
class EmbeddingUsage:
    """Tokens of a request for embeddings."""

    prompt_tokens: int
    total_tokens: int


@dataclass(frozen=True)
class EmbeddingList:
    """Embeddings, one for each input."""

    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
    object: Literal["list"] = "list"


# --- events of streams ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """How many of the best hits were checked."""

    done: int
    total: int | None


@dataclass(frozen=True)
class SearchEvents:
    """Events of a search, each with one of these as its `data`; the last one is `end`."""

    answer: Answer | None = None
    checked: Counted | None = None


@dataclass(frozen=True)
class JobEvents:
    """Events of a job; the last one is `end`."""

    job: Job | None = None


@dataclass(frozen=True)
class CaptionEvents:
    """Events of a caption: `text` for each piece, `answer` for the whole, then `end`."""

    text: str | None = None
    answer: WrittenText | None = None


@dataclass(frozen=True)
class ReplyEvents:
    """Events of an answer to a question: `text` for each piece, `answer` for the whole, then `end`."""

    text: str | None = None
    answer: Said | None = None
