"""The read-only half of the Python API: everything that a library can be asked.

It delegates all work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Settings
from ..errors import UsageError
from ..queries import interpret
from ..queries.expression import Expression, WeightedPiece
from ..queries.filters import Or, PathFits
from ..queries.saved_names import KnownNames
from ..sources import absolute_path
from ..types.records import Answer, ByBytes, ByFile, ByItem, ByVector, Kind, Order, Query, Threshold, no_progress
from .services import Services

if TYPE_CHECKING:
    from ..search.browse import ItemBrowser
    from ..search.saved import SavedNames
    from ..storage.storage import Storage
    from ..transfer.export import ExportReport
    from ..types.explanations import Why, WhyNot
    from ..types.records import Budget, Format, Item, Problem, Progress, Status, Vectors
    from ..types.results import Classification


@dataclass
class LibraryView:
    """A read-only view of one opened library; `library.Library` opens it, and adds writing."""

    services: Services
    reads_files: bool = True  # whether a query may name pictures by their path (`similar:pool.jpg`)

    @property
    def storage(self) -> Storage:
        """The storage of the library."""
        return self.services.storage

    @property
    def settings(self) -> Settings:
        """The settings that the library was opened with."""
        return self.services.settings

    @property
    def path(self) -> Path:
        """The library's folder."""
        return self.storage.path

    def within(self, folder: str | Path) -> LibraryView:
        """Return a view that is limited to one folder, as if the library held nothing else."""
        return LibraryView(self.services.within(absolute_path(folder)))

    @property
    def model(self) -> str:
        """The model of the active space; the built-in one in a new library."""
        return self.services.model

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
        fold: bool = True,
        progress: Callable[[Progress], None] = no_progress,
    ) -> Answer:
        """Return the k pictures that match a query best; docs/queries.md describes its language.

        Hits less certain than `threshold` are left out: with "weak" only if nothing looks like the query at all, with
        "none" never. With `image`, hits also resemble that picture. `within` keeps those whose path matches one of
        these globs. With `rerank`, the vision-language model of the settings checks the best hits and influences their
        order, unless `evaluate_library_rerank` found that it does not help here; `order` applies only without `rerank`.
        With `fold`, near-duplicates of a better hit are grouped under it (`Hit.beneath`).

        Raises:
            QueryError: the query cannot be interpreted; the message points at the place.
            UsageError: the query is empty or has no words to rerank by, or `k` is below one.
            ModelError: the reranking model cannot be loaded. If it fails later, the encoder's order comes with a note.
        """
        query = self._asked(text, image, within)
        if rerank is None:
            return _kept(self.services.searcher().search(query, k, order=order, fold=fold), threshold)
        found = self.services.reranker(progress).search(self.services.searcher(), query, k, rerank, fold=fold)
        return _kept(found, threshold)

    def why(
        self,
        text: str,
        hit: str | Path | int,
        *,
        image: str | Path | bytes | None = None,
        heat: bool = False,
        vlm: bool = False,
    ) -> Why:
        """Explain why a picture, given by its path or its rank, is a hit.

        With `heat`, also where in the picture; with `vlm`, also by the vision-language model of the settings.

        Raises:
            UsageError: the picture is not a hit, or the model cannot say where.
        """
        from ..search.explain.why import Explainer

        explainer = Explainer(self.services.searcher(), self.services.vlm() if vlm else None)
        return explainer.why(
            self._asked(text, image, ()), hit if isinstance(hit, int) else absolute_path(hit), heat=heat
        )

    def why_not(
        self,
        text: str,
        picture: str | Path,
        k: int = 10,
        *,
        image: str | Path | bytes | None = None,
        threshold: Threshold = "weak",
    ) -> WhyNot:
        """Explain why a picture is not among the k hits of a query, and what would bring it up."""
        from ..search.explain.why_not import WhyNotExplainer

        return WhyNotExplainer(self.services.searcher(), self._asked(text, image, ()), k, threshold).why_not(
            absolute_path(picture)
        )

    def facets(
        self, text: str, *, image: str | Path | bytes | None = None, within: Sequence[str] = ()
    ) -> dict[str, list[tuple[str, int]]]:
        """Return how many results there are of each year, camera, country, city, type and folder, most frequent first.

        Counted are pictures that pass the filters and, if the query searches for anything, are at least likely.
        """
        return self.services.searcher().facets(self._asked(text, image, within))

    def page(
        self,
        text: str,
        number: int,
        size: int = 10,
        *,
        image: str | Path | bytes | None = None,
        within: Sequence[str] = (),
        threshold: Threshold = "weak",
        fold: bool = True,
    ) -> Answer:
        """Return a page of the results of a query, counted from 1; `Answer.cursor` leads to the next one.

        The first page runs the query; the others reuse its results for a day, whatever is indexed meanwhile.

        Raises:
            UsageError: what `search` raises, or a page below one.
        """
        return _kept(self.services.pager().page(self._asked(text, image, within), number, size, fold=fold), threshold)

    def next_page(self, cursor: str, *, threshold: Threshold = "weak") -> Answer:
        """Return the page that a cursor points at.

        Raises:
            UsageError: it is not a cursor, or its results have expired.
        """
        return _kept(self.services.pager().next(cursor), threshold)

    def search_image(self, image: str | Path | bytes, k: int = 10, *, within: Sequence[str] = ()) -> Answer:
        """Return the k pictures most similar to a picture file (in the library or not) or to the bytes of one.

        Raises:
            PictureError: the picture cannot be used.
        """
        return self.search("", k, image=image, within=within)

    def similar(self, item: int, k: int = 10) -> Answer:
        """Return the k pictures most similar to an item of the library, without itself."""
        return self.query(ByItem(item), k)

    def search_vector(self, vector: Vectors, k: int = 10) -> Answer:
        """Return the k pictures nearest to an embedding of the library's model, `(dimensions,)`."""
        return self.query(ByVector(vector), k)

    def captions(self, image: str | Path | bytes, k: int = 10, *, threshold: Threshold = "weak") -> Answer:
        """Return the k texts of the library that match a picture best; `threshold` as for `search`."""
        query = ByBytes(image) if isinstance(image, bytes) else ByFile(Path(image))
        return self.query(query, k, Kind.TEXT, threshold=threshold)

    def classify(
        self,
        labels: Sequence[str],
        places: Sequence[str | Path] | None = None,
        *,
        judge: bool = False,
        progress: Callable[[Progress], None] = no_progress,
    ) -> tuple[list[Classification], list[str]]:
        """Return which label fits each picture in `places` (None: all) best, and notes on what was left out.

        Decided by the encoder, or with `judge` by the vision-language model of the settings.

        Raises:
            UsageError: there are fewer than two labels, or no picture in `places`.
            ModelError: the model cannot be loaded.
        """
        from ..search.classify import Classifier

        inside = absolute_paths(places)
        classifier = Classifier(self.storage, self.settings.max_megapixels, progress)
        if judge:
            return classifier.by_model(self.services.vlm(), labels, inside)
        return classifier.by_encoder(self.services.encoder(), labels, inside), []

    def query(
        self, query: Query | Expression, k: int = 10, kind: Kind = Kind.PICTURE, *, threshold: Threshold = "none"
    ) -> Answer:
        """Any query for pictures or texts: one piece (`records.Query`) or many (`queries.interpret`)."""
        return _kept(self.services.searcher().search(query, k, kind), threshold)

    def parse(self, text: str) -> Expression:
        """Return how a query is interpreted.

        Raises:
            QueryError: it cannot be interpreted.
        """
        return self._asked(text, None, ())

    def _asked(self, text: str, image: str | Path | bytes | None, within: Sequence[str]) -> Expression:
        names = self.named.names() if "@" in text else KnownNames()
        query = interpret(text, names=names)
        if not self.reads_files and any(isinstance(each, ByFile) for each in query.pieces):
            raise UsageError("files are not named by their path here: upload the picture, or name an item (item:12)")
        if image is not None:
            query = query.with_piece(WeightedPiece(ByBytes(image) if isinstance(image, bytes) else ByFile(Path(image))))
        return query.within(Or(tuple(map(PathFits, within)))) if within else query

    @property
    def named(self) -> SavedNames:
        """The saved searches and the concepts (taught words)."""
        from ..search.saved import SavedNames

        return SavedNames(self.storage)

    @property
    def items(self) -> ItemBrowser:
        """The items for browsing without a query: one by one, newest first, by month."""
        from ..search.browse import ItemBrowser

        return ItemBrowser(self.storage)

    def export(
        self,
        folder: str | Path,
        form: Format,
        answer: Answer | None = None,
        *,
        progress: Callable[[Progress], None] = no_progress,
    ) -> ExportReport:
        """Write the pictures of an answer (None: all) into a new folder; see `transfer.export` for the formats.

        Raises:
            UsageError: the folder is not empty, or pyarrow is needed and not installed.
            SourceError: the folder cannot be written to.
        """
        from ..transfer.export import Exporter

        if answer is None:
            items = list(self)
        else:
            with self.storage.read() as catalog:
                of = {item.id: item for item in catalog.items(hit.item for hit in answer.hits if hit.item is not None)}
            items = [of[hit.item] for hit in answer.hits if hit.item in of]
        return Exporter(self.storage, absolute_path(folder), self.settings.max_megapixels, progress).write(items, form)

    def __iter__(self) -> Iterator[Item]:
        with self.storage.read() as catalog:
            yield from catalog.items()

    def has(self, path: str | Path) -> bool:
        """Whether a picture file is in the library."""
        with self.storage.read() as catalog:
            return bool(catalog.contents_at([absolute_path(path)]))

    def __len__(self) -> int:
        return self.status().items

    def status(self) -> Status:
        """Return what the library holds: counts, spaces, roots, size in bytes and the current writer."""
        return self.storage.status()

    def problems(self) -> list[Problem]:
        """Return the files that could not be used, with the reasons."""
        with self.storage.read() as catalog:
            return [problem for problem, _, _ in catalog.problems().values()]

    def thumbnails(self, contents: Sequence[int]) -> dict[int, bytes]:
        """Return the WebP thumbnails of these contents (`Hit.content`), by content id."""
        with self.storage.read() as catalog:
            return catalog.thumbnails(contents)


def _kept(answer: Answer, threshold: Threshold) -> Answer:
    from ..search.confidence import apply_threshold

    return apply_threshold(answer, threshold)


def absolute_paths(places: Sequence[str | Path] | None) -> list[Path] | None:
    """Return places as the library stores them (absolute paths); None stands for the whole library."""
    return None if places is None else [absolute_path(place) for place in places]
