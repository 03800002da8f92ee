"""The read-only half of the Python API: everything that a library can be asked.

It delegates all work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..config import Settings
from ..errors import UsageError
from ..queries import interpret
from ..queries.expression import Expression, WeightedPiece
from ..queries.filters import Or, PathFits
from ..queries.language import foreign_language
from ..queries.saved_names import KnownNames
from ..sources import absolute_path, absolute_paths
from ..types.records import Answer, ByBytes, ByFile, Kind, Progress, Query, Threshold, no_progress
from ..types.request import SearchOptions, SearchRequest
from .services import Services

if TYPE_CHECKING:
    from ..search.browse import ItemBrowser
    from ..search.saved import SavedNames
    from ..storage.storage import Storage
    from ..transfer.export import ExportReport
    from ..types.explanations import Why, WhyNot
    from ..types.records import Format, Item, Problem, Status
    from ..types.results import Classification
    from .caption_finder import CaptionFinder


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
        request: str | Query | SearchRequest = "",
        *,
        progress: Callable[[Progress], None] = no_progress,
        **options: Unpack[SearchOptions],
    ) -> Answer:
        """Return the hits for a query, best first: `search("a dog", k=5)`, or for a whole `SearchRequest`.

        The options are the fields of `SearchRequest`; docs/queries.md describes the query language. Hits that are less
        sure than `threshold` are left out; with "weak" only if nothing looks like the query, with "none" never. By
        date, all hits that are at least likely (or as sure as `threshold` says) are ordered, not only the best. With
        `rerank`, the vision-language model of the settings checks the best hits and reorders them, unless
        `evaluate_library_rerank` found that this does not help here. With `page`, `Answer.cursor` leads to the next
        page: later pages come from the same stored answer for a day, whatever is indexed in the meantime.

        Raises:
            QueryError: the query cannot be understood; the message points at the place.
            UsageError: the request is empty or contradicts itself, or there is no model to rerank with.
            PictureError: the picture to search by cannot be used.
            ModelError: the model to rerank with cannot be loaded; if it fails later, the answer has a note.
        """
        from ..search.confidence import apply_threshold, unsure
        from ..search.evidence import named_file

        request = SearchRequest.of(request, **options)
        query, searcher = self._expression(request), self.services.searcher()
        if request.page is not None:
            answer = self.services.pager().page(query, request)
        elif request.rerank is not None:
            answer = self.services.reranker(progress).search(searcher, query, request, request.rerank)
        else:
            answer = searcher.search(query, request)
        answer = self.services.file_presence.only_there(apply_threshold(answer, request.least))
        found = bool(answer.hits and answer.hits[0].by)  # by a name or another text, in whatever language
        hint = "" if found else self._language_hint(query, surely=not answer.nothing)
        answer = replace(answer, notes=(*answer.notes, hint)) if hint else answer
        file = named_file(query.words)
        names = {hit.path.name.casefold() for hit in answer.hits if hit.path is not None}
        if file is not None and file.name.casefold() not in names:
            answer = replace(answer, notes=(*answer.notes, f"no file of the library is called {query.words.strip()}"))
        if unsure(answer) and answer.total and request.kind is Kind.PICTURE:
            from ..search.suggestions import Suggester  # loads what sure answers do not need

            suggester = Suggester(self.storage)
            failing = () if answer.searched else suggester.failing(query)
            notes = (*answer.notes, *(f"{part} passes nothing, even alone" for part in failing))
            answer = replace(answer, notes=notes, suggestions=suggester.suggest(query))
        missing = request.facets and answer.facets is None
        return replace(answer, facets=searcher.facets(query, request)) if missing else answer

    def _language_hint(self, query: Expression, *, surely: bool) -> str:
        """Return a remark if the words are (or, unless `surely`, may be) in a language that the model does not read."""
        from ..encoders import model_list

        sure = foreign_language(query.words)
        language = sure if surely else sure or foreign_language(query.words, surely=False)
        if not language or not model_list.knows_only_english(self.model):
            return ""
        other = model_list.multilingual()
        seem = "seem to" if sure else "may"
        return (
            f"the words {seem} be {language}, and {self.model} understands English: translate them, or index with a "
            f"model of many languages (`retrieval index FOLDER --model {other}`)"
        )

    def next_page(self, cursor: str, *, threshold: Threshold = "weak") -> Answer:
        """Return the page that a cursor points at.

        Raises:
            UsageError: the text is not a cursor, or its answer has expired.
        """
        from ..search.confidence import apply_threshold

        return self.services.file_presence.only_there(
            apply_threshold(self.services.pager().next(cursor, threshold), threshold)
        )

    def why(
        self,
        request: str | SearchRequest,
        hit: str | Path | int,
        *,
        heat: bool = False,
        vlm: bool = False,
        **options: Unpack[SearchOptions],
    ) -> Why:
        """Explain why a picture, given by its path or its rank, is a hit of a request.

        With `heat`, also where in the picture; with `vlm`, also by the vision-language model of the settings.

        Raises:
            UsageError: the picture is not a hit, or the model cannot say where.
        """
        from ..search.explain.why import Explainer

        request = SearchRequest.of(request, **options)
        explainer = Explainer(self.services.searcher(), self.services.vlm() if vlm else None)
        place = hit if isinstance(hit, int) else absolute_path(hit)
        return explainer.why(self._expression(request), place, request.k, heat=heat)

    def why_not(self, request: str | SearchRequest, picture: str | Path, **options: Unpack[SearchOptions]) -> WhyNot:
        """Explain why a picture is not among the hits of a request, and what would bring it up."""
        from ..search.explain.why_not import WhyNotExplainer

        request = SearchRequest.of(request, **options)
        explainer = WhyNotExplainer(self.services.searcher(), self._expression(request), request.k, request.least)
        return explainer.why_not(absolute_path(picture))

    def facets(
        self, request: str | SearchRequest, **options: Unpack[SearchOptions]
    ) -> dict[str, list[tuple[str, int]]]:
        """Return how many results there are of each year, camera, country, city, type and folder, most frequent first.

        Counted are the hits, on all pages, that are at least likely, or as sure as `threshold` says; where none is,
        those that are shown. Of an empty request, all pictures of the library.
        """
        request = SearchRequest.of(request, **options)
        query = self._expression(request)
        if query.is_empty:
            query = interpret("type:photo OR type:video")
        return self.services.searcher().facets(query, request)

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

    def parse(self, text: str) -> Expression:
        """Return a query as this library understands it.

        Raises:
            QueryError: it cannot be understood.
        """
        return self._expression(SearchRequest(text))

    def _expression(self, request: SearchRequest) -> Expression:
        """Return what a request looks for and filters by."""
        if isinstance(request.query, str):
            query = interpret(request.query, names=self.saved.names() if "@" in request.query else KnownNames())
            if not self.reads_files and any(isinstance(each, ByFile) for each in query.pieces):
                raise UsageError("name no files here: upload the picture, or name an item of the library (item:12)")
        else:
            query = Expression.of(request.query)
        if request.image is not None:
            image = request.image
            piece = ByBytes(image) if isinstance(image, bytes) else ByFile(Path(image))
            query = query.with_piece(WeightedPiece(piece))
        return query.within(Or(tuple(map(PathFits, request.within)))) if request.within else query

    @property
    def saved(self) -> SavedNames:
        """The saved searches and the concepts (taught words)."""
        from ..search.saved import SavedNames

        return SavedNames(self.storage)

    @property
    def captions(self) -> CaptionFinder:
        """The captions and other texts of the pictures."""
        from .caption_finder import CaptionFinder

        return CaptionFinder(self.services, self.search)

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
                of = {
                    item.id: item for item in catalog.items.get(hit.item for hit in answer.hits if hit.item is not None)
                }
            items = [of[hit.item] for hit in answer.hits if hit.item in of]
        return Exporter(self.storage, absolute_path(folder), self.settings.max_megapixels, progress).write(items, form)

    def __iter__(self) -> Iterator[Item]:
        with self.storage.read() as catalog:
            yield from catalog.items.all()

    def __len__(self) -> int:
        return self.status().items

    def status(self) -> Status:
        """Return what the library holds: counts, spaces, roots, size in bytes and the current writer."""
        return self.storage.status()

    def problems(self) -> list[Problem]:
        """Return the files that could not be used, with the reasons."""
        with self.storage.read() as catalog:
            return [problem for problem, *_ in catalog.problems.all().values()]

    def thumbnails(self, contents: Sequence[int]) -> dict[int, bytes]:
        """Return the WebP thumbnails of these contents (`Hit.content`), by content id."""
        with self.storage.read() as catalog:
            return catalog.contents.thumbnails(contents)
