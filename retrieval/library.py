"""One library with everything that works on it: index, search, caption, rerank, iterate, remove.

The public object of the Python API, and what every face calls. Knows who does what; does nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from . import app, config
from .config import Settings
from .errors import LibraryNotFound, UsageError
from .parts import Parts
from .queries import understand
from .queries.expression import Expression, Weighed
from .queries.filters import PathFits, Some
from .records import Answer, ByBytes, ByFile, ByItem, ByVector, Kind, Order, Query, Threshold, silent
from .sources import placed

if TYPE_CHECKING:
    from types import TracebackType

    from .holdings import Holdings
    from .records import (
        Budget,
        Described,
        Item,
        Labelled,
        Plan,
        Problem,
        Report,
        Sidecars,
        Status,
        Step,
        Transcribed,
        Vectors,
    )
    from .sources.folders import Rules


@dataclass
class Library:
    """A library with everything that works on it. Use it as a context manager, or call `close`.

    with Library.open("indexes/holidays") as library:
        for hit in library.search("a dog on the beach", k=3).hits:
            print(hit.score, hit.path)
    """

    parts: Parts

    @classmethod
    def open(cls, path: str | Path | None = None, settings: Settings | None = None, *, read_only: bool = False) -> Self:
        """Open a library; without `path`, the default one (see `config.default_index`).

        Raises:
            LibraryNotFound, LibraryVersionError, LibraryDamaged: it cannot be opened.
        """
        from .holdings import Holdings

        settings = settings or config.load()
        holdings = Holdings.open(app.place(path, settings), app.vector_engine(), read_only=read_only)
        return cls(Parts(holdings, settings))

    @classmethod
    def create(cls, path: str | Path | None = None, settings: Settings | None = None) -> Self:
        """Open a library, making an empty one where there is none.

        Raises:
            LibraryError: the place holds something else or cannot be written.
            ModelError: the settings name a model that is unknown or not on this machine; nothing is made then.
        """
        from .holdings import Holdings

        settings = settings or config.load()
        if settings.model not in ("", "colours", "builtin"):
            from .encoders import checkpoints, names

            checkpoints.required(names.ModelName.parse(settings.model))
        return cls(Parts(Holdings.create(app.place(path, settings), app.vector_engine()), settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the library's files."""
        self.holdings.close()

    @property
    def holdings(self) -> Holdings:
        """The opened folder."""
        return self.parts.holdings

    @property
    def settings(self) -> Settings:
        """What it was opened with."""
        return self.parts.settings

    @property
    def path(self) -> Path:
        """The library's folder."""
        return self.holdings.path

    @property
    def model(self) -> str:
        """The model whose embeddings answer; the built-in one in a new library."""
        return self.parts.model

    # --- writing -------------------------------------------------------------------------------------------

    def index(
        self,
        folders: Sequence[str | Path],
        captions: Sequence[str | Path | tuple[str | Path, str | Path]] = (),
        *,
        rules: Rules | None = None,
        retry: bool = False,
        progress: Callable[[Step], None] = silent,
    ) -> Report:
        """Bring the library up to date with folders (or single pictures) and caption files.

        A caption file may come with the folder that its picture names are relative to. With another model than
        before (`Settings.model`) everything is encoded anew; the old embeddings answer until the new ones are whole.

        Raises:
            SourceError: a folder or caption file cannot be read. One bad picture is a problem in the report instead.
            LibraryLocked: another process writes.
            StorageFull: the disk is full; what was committed is kept.
        """
        pairs = [(entry, None) if isinstance(entry, str | Path) else entry for entry in captions]
        tables = [(Path(table), Path(images) if images else None) for table, images in pairs]
        return self.parts.indexer(rules, retry, progress).run([Path(folder) for folder in folders], tables)

    def plan(self, folders: Sequence[str | Path], *, rules: Rules | None = None, retry: bool = False) -> Plan:
        """What `index` would do to these folders; nothing is changed."""
        return self.parts.indexer(rules, retry, silent).plan([Path(folder) for folder in folders])

    def caption(
        self,
        places: Sequence[str | Path] | None = None,
        *,
        missing: bool = False,
        progress: Callable[[Step], None] = silent,
    ) -> Described:
        """Caption pictures with the vision-language model of the settings; their texts are searchable from then on.

        `places` are folders or files of the library (None: all of it); `missing`: only pictures without any text.

        Raises:
            UsageError: the settings name no model; LibraryLocked: another process writes.
        """
        return self.parts.describer(progress).run(_absolute(places), missing=missing)

    def read_texts(
        self, places: Sequence[str | Path] | None = None, *, progress: Callable[[Step], None] = silent
    ) -> Transcribed:
        """Read the text in pictures, once for each; it is searchable from then on. `places` as for `caption`.

        Raises:
            LibraryLocked: another process writes; ModelUnavailable: the packages for it are not installed.
        """
        return self.parts.transcriber(progress).run(_absolute(places))

    def write_sidecars(
        self,
        places: Sequence[str | Path] | None = None,
        *,
        undo: bool = False,
        progress: Callable[[Step], None] = silent,
    ) -> Sidecars:
        """Write captions made here into XMP files beside the pictures; with `undo`, make those what they were.

        A picture with a description of its own keeps it. `places` as for `caption`.

        Raises:
            LibraryLocked: another process writes.
        """
        from .indexing.sidecars import SidecarWriter

        writer = SidecarWriter(self.holdings, progress)
        return (writer.undo if undo else writer.write)(_absolute(places))

    def set_caption(self, path: str | Path, text: str) -> None:
        """Keep a human's caption of a picture, in place of what models said of it.

        Raises:
            UsageError: the library has no such picture, or the text is empty.
        """
        from .indexing.describer import write_caption

        place = placed(path)
        with self.holdings.reading() as catalog:
            content = catalog.contents_at([place]).get(place)
        if content is None or not text.strip():
            raise UsageError(f"the library has no picture {path}" if content is None else "the caption is empty")
        write_caption(self.holdings, self.parts.encoder(), content, " ".join(text.split()))

    def remove(self, paths: Sequence[str | Path]) -> int:
        """Forget pictures, folders and caption files (never touching them); how many pictures there were.

        Raises:
            UsageError: the library has nothing at one of the paths.
        """
        from .indexing import forget

        return forget.places(self.holdings, map(placed, paths))

    def forget_model(self, model: str) -> int:
        """Forget the embeddings of a model that no longer answers; how many there were.

        Raises:
            UsageError: the library has none of that model but those that answer.
        """
        from .indexing import forget

        return forget.model(self.holdings, model)

    # --- reading -------------------------------------------------------------------------------------------

    def search(
        self,
        text: str,
        k: int = 10,
        *,
        image: str | Path | bytes | None = None,
        within: Sequence[str] = (),
        rerank: Budget | None = None,
        threshold: Threshold = "weak",
        order: Order = "score",
        progress: Callable[[Step], None] = silent,
    ) -> Answer:
        """The k pictures that fit a query best; docs/queries.md describes its language.

        Hits that are less sure than `threshold` are left out: with "weak" only where nothing looks like the query at
        all, with "none" never. With `image`, they are like that picture, too. `within` keeps those whose path fits one
        of these globs. With `rerank`, the vision-language model of the settings checks the best hits and has its say in
        their order, unless `evaluate_library_rerank` found that it does not help here; `order` is without it alone.

        Raises:
            QueryError: the query cannot be understood; the message points at the place.
            UsageError: an empty query, or `k` below one, or no model to rerank with.
            ModelError: that model cannot be loaded. Where it fails later, the encoder's order comes with a note.
        """
        query = _asked(text, image, within)
        if rerank is None:
            return _kept(self.parts.searcher().search(query, k, order=order), threshold)
        found = self.parts.reranker(progress).search(self.parts.searcher(), query, k, rerank)
        return _kept(found, threshold)

    def facets(
        self, text: str, *, image: str | Path | bytes | None = None, within: Sequence[str] = ()
    ) -> dict[str, list[tuple[str, int]]]:
        """How many answers there are of each year, camera, place, type and folder, the most first.

        Counted is what passes the filters and, where something is looked for, is at least likely.
        """
        return self.parts.searcher().facets(_asked(text, image, within))

    def page(
        self, text: str, number: int, size: int = 10, *, within: Sequence[str] = (), threshold: Threshold = "weak"
    ) -> Answer:
        """A page of a query's answer, from 1; `Answer.cursor` leads to the next one.

        The first page asks anew; the others go on with the same answer for a day, whatever is indexed meanwhile.

        Raises:
            UsageError: what `search` raises, or a page below one.
        """
        return _kept(self.parts.pager().page(_asked(text, None, within), number, size), threshold)

    def next_page(self, cursor: str, *, threshold: Threshold = "weak") -> Answer:
        """The page that a cursor points at.

        Raises:
            UsageError: it is none, or its answer is not kept any more.
        """
        return _kept(self.parts.pager().next(cursor), threshold)

    def search_image(self, image: str | Path | bytes, k: int = 10, *, within: Sequence[str] = ()) -> Answer:
        """The k pictures most like a picture file, in the library or not, or the bytes of one.

        Raises:
            PictureError: it cannot be used.
        """
        return self.search("", k, image=image, within=within)

    def similar(self, item: int, k: int = 10) -> Answer:
        """The k pictures most like one of the library's own, without itself."""
        return self.query(ByItem(item), k)

    def search_vector(self, vector: Vectors, k: int = 10) -> Answer:
        """The k pictures nearest to an embedding of the library's model, (dimensions,)."""
        return self.query(ByVector(vector), k)

    def captions(self, image: str | Path | bytes, k: int = 10, *, threshold: Threshold = "weak") -> Answer:
        """The k texts of the library that fit a picture best; `threshold` as for `search`."""
        query = ByBytes(image) if isinstance(image, bytes) else ByFile(Path(image))
        return self.query(query, k, Kind.TEXT, threshold=threshold)

    def classify(
        self,
        labels: Sequence[str],
        places: Sequence[str | Path] | None = None,
        *,
        judge: bool = False,
        progress: Callable[[Step], None] = silent,
    ) -> tuple[list[Labelled], list[str]]:
        """Which label fits each picture in `places` (None: all) best, and notes on what was left out.

        By the encoder, or with `judge` by the vision-language model of the settings.

        Raises:
            UsageError: fewer than two labels, no picture there, or no model to judge with.
        """
        from .search.classify import Classifier

        inside = _absolute(places)
        classifier = Classifier(self.holdings, self.settings.max_megapixels, progress)
        if judge:
            return classifier.by_model(self.parts.vlm(), labels, inside)
        return classifier.by_encoder(self.parts.encoder(), labels, inside), []

    def query(
        self, query: Query | Expression, k: int = 10, kind: Kind = Kind.PICTURE, *, threshold: Threshold = "none"
    ) -> Answer:
        """Any query for pictures or texts: one piece (`records.Query`) or many (`queries.understand`)."""
        return _kept(self.parts.searcher().search(query, k, kind), threshold)

    def __iter__(self) -> Iterator[Item]:
        with self.holdings.reading() as catalog:
            yield from catalog.items()

    def __len__(self) -> int:
        return self.status().items

    def status(self) -> Status:
        """What the library holds."""
        return self.holdings.status()

    def problems(self) -> list[Problem]:
        """The files that could not be used, with their reasons."""
        with self.holdings.reading() as catalog:
            return [problem for problem, _, _ in catalog.problems().values()]

    def thumbnails(self, contents: Sequence[int]) -> dict[int, bytes]:
        """Small WebP pictures of these contents (`Hit.content`)."""
        with self.holdings.reading() as catalog:
            return catalog.thumbnails(contents)


def _kept(answer: Answer, threshold: Threshold) -> Answer:
    from .search.confidence import kept

    return kept(answer, threshold)


def _asked(text: str, image: str | Path | bytes | None, within: Sequence[str]) -> Expression:
    query = understand(text)
    if image is not None:
        query = query.with_piece(Weighed(ByBytes(image) if isinstance(image, bytes) else ByFile(Path(image))))
    return query.within(Some(tuple(map(PathFits, within)))) if within else query


def _absolute(places: Sequence[str | Path] | None) -> list[Path] | None:
    return None if places is None else [placed(place) for place in places]


def plan(folders: Sequence[str | Path], settings: Settings, rules: Rules, *, retry: bool = False) -> Plan:
    """What `Library.index` would do to these folders; where there is no library yet, none is made.

    Raises:
        SourceError: a folder does not exist.
    """
    from tempfile import TemporaryDirectory

    try:
        with Library.open(None, settings, read_only=True) as library:
            return library.plan(folders, rules=rules, retry=retry)
    except LibraryNotFound:
        with TemporaryDirectory() as nowhere, Library.create(Path(nowhere) / "library", settings) as library:
            return library.plan(folders, rules=rules)
