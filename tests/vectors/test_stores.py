"""Every vector store gives what plain comparison gives, over one catalog; readers change nothing that is shared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from retrieval import Library, Settings
from retrieval.queries.filters import PathFits
from retrieval.storage.storage import Storage
from retrieval.types.records import Ids, Kind, Space, Vectors
from retrieval.vectors import LibraryAddress, VectorCollection, VectorStore, Where
from retrieval.vectors.exact import ExactStore
from retrieval.vectors.faiss import FaissStore
from retrieval.vectors.memory import MemoryStore

from ..conftest import COLOURS, soon

SPACE = Space("drawn", 16, "1")
HALF = 2e-3  # what half precision may cost a score
STORES: list[type[VectorStore]] = [ExactStore, FaissStore, MemoryStore]
Make = Callable[[Path], Storage]


def unit(rows: int, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((rows, 16)).astype(np.float32)
    found: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


@pytest.fixture(params=STORES, ids=lambda store: store.__name__)
def open_store(request: pytest.FixtureRequest) -> Callable[[LibraryAddress], VectorStore]:
    return partial(request.param.open, Settings())


@pytest.fixture
def storage(tmp_path: Path, open_store: Callable[[LibraryAddress], VectorStore]) -> Iterator[Storage]:
    """A library of 50 pictures whose embeddings are drawn; ids 1 to 50."""
    storage = Storage.create(tmp_path / "library", open_store)
    with storage.transaction() as catalog:
        catalog.spaces.add(SPACE)
    put(storage, unit(50))
    with storage.write_lock("test"):
        storage.vectors.save()
    yield storage
    storage.close()


def put(storage: Storage, vectors: Vectors, name: str = "p") -> list[int]:
    """Add pictures with these embeddings, as indexing does."""
    with storage.transaction() as catalog:
        ids = [catalog.contents.add(Kind.PICTURE, f"{name}{n}") for n in range(len(vectors))]
        catalog.embeddings(1, SPACE, Kind.PICTURE).put(ids, vectors)
    return ids


def collection(storage: Storage) -> VectorCollection:
    found = storage.store.collection(1, SPACE, Kind.PICTURE)
    with storage.read() as catalog:
        found.follow(catalog.embeddings(1, SPACE, Kind.PICTURE))
    return found


def right(vectors: Vectors, query: Vectors, ids: Ids, k: int) -> list[tuple[float, int]]:
    return sorted(((float(vectors[i - 1] @ query), int(i)) for i in ids), reverse=True)[:k]


@pytest.mark.parametrize("allowed", [None, [3, 7, 40, 41], []], ids=["all", "four", "none"])
def test_ids_and_scores_equal_plain_comparison(storage: Storage, allowed: list[int] | None) -> None:
    queries = unit(5, seed=1)
    ids = np.arange(1, 51) if allowed is None else np.array(allowed, np.int64)
    where = None if allowed is None else Where(ids, PathFits("*"))
    scores, found = collection(storage).search(queries, 10, where)
    for row, query in enumerate(queries):
        expected = right(unit(50), query, ids, 10)
        assert found[row, : len(expected)].tolist() == [i for _, i in expected]
        assert np.allclose(scores[row, : len(expected)], [score for score, _ in expected], atol=HALF)
        assert (found[row, len(expected) :] == -1).all()


def test_counts_vectors_and_samples_are_the_catalogs(storage: Storage) -> None:
    vectors = collection(storage)
    assert vectors.count() == 50
    assert np.allclose(vectors.get(np.array([9, 2], np.int64)), unit(50)[[8, 1]], atol=HALF)
    assert len(vectors.sample(20)) == 20
    assert np.array_equal(vectors.sample(20), vectors.sample(20))
    assert np.allclose(vectors.sample(9, np.array([1, 50], np.int64)), unit(50)[[0, 49]], atol=HALF)


def test_what_a_writer_saves_every_reader_finds(storage: Storage, tmp_path: Path) -> None:
    new = put(storage, unit(3, seed=5), "new")
    with storage.transaction() as catalog:
        catalog.contents.settle()
    with storage.write_lock("test"):
        storage.vectors.save()
    assert collection(storage).count() == 53
    assert collection(storage).search(unit(3, seed=5), 1)[1][:, 0].tolist() == new


def test_the_active_space_is_searched_with_exact_scores(storage: Storage) -> None:
    scores, ids = storage.vectors.nearest(Kind.PICTURE, unit(50)[6:7], 5)
    assert ids[0, 0] == 7
    assert scores[0, 0] == pytest.approx(1.0, abs=1e-6)
    assert storage.vectors.count(Kind.PICTURE) == 50


def test_a_check_finds_what_disagrees_and_a_rebuild_mends_it(storage: Storage) -> None:
    vectors = collection(storage)
    with storage.read() as catalog:
        assert vectors.disagreement(catalog.embeddings(1, SPACE, Kind.PICTURE)) == ""
    with storage.transaction() as catalog:
        log = catalog.embeddings(1, SPACE, Kind.PICTURE)
        vectors.rebuild(log)
        vectors.synchronise(log)
    assert collection(storage).count() == 50
    with storage.read() as catalog:
        assert vectors.disagreement(catalog.embeddings(1, SPACE, Kind.PICTURE)) == ""


@pytest.mark.parametrize("open_store", [partial(store.open, Settings()) for store in (ExactStore, FaissStore)])
def test_a_space_that_is_dropped_leaves_no_file(storage: Storage) -> None:
    assert list((storage.path / "vectors").glob("1-*"))
    storage.drop_space(1)
    assert not list((storage.path / "vectors").glob("1-*"))


# --- reading -----------------------------------------------------------------------------------------------


def shared(storage: Storage) -> dict[str, tuple[int, int]]:
    """Every file of a library that processes share, with its size and time."""
    folder = storage.path / "vectors"
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize("store", [ExactStore, FaissStore], ids=lambda store: store.__name__)
def test_a_reader_finds_what_is_late_and_writes_nothing(tmp_path: Path, store: type[VectorStore]) -> None:
    """A file that is behind is left as it is: what it lacks is in the reader's memory."""
    writer = Storage.create(tmp_path / "library", partial(store.open, Settings()))
    with writer.transaction() as catalog:
        catalog.spaces.add(SPACE)
    put(writer, unit(50))
    with writer.write_lock("test"):
        writer.vectors.save()
    late = put(writer, unit(4, seed=8), "late")
    before = shared(writer)
    reader = Storage.open(tmp_path / "library", partial(store.open, Settings()), read_only=True)
    assert reader.vectors.nearest(Kind.PICTURE, unit(4, seed=8), 1)[1][:, 0].tolist() == late
    assert shared(writer) == before
    reader.close()
    writer.close()


@pytest.mark.parametrize("store", [ExactStore, FaissStore], ids=lambda store: store.__name__)
def test_a_reader_of_one_folder_leaves_the_whole_index_whole(tmp_path: Path, store: type[VectorStore]) -> None:
    """Whoever sees one folder only must not be who tops up the index for all."""
    storage = Storage.create(tmp_path / "library", partial(store.open, Settings()))
    with storage.transaction() as catalog:
        catalog.spaces.add(SPACE)
    put(storage, unit(50))
    part = storage.within(Path("/nowhere"))
    assert len(part.vectors.sample(Kind.PICTURE)) == 0
    assert storage.vectors.count(Kind.PICTURE) == 50
    storage.close()


def test_searches_do_not_wait_for_each_other(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two slow searches of one collection are at work at the same time."""
    vectors = collection(storage)
    if isinstance(vectors, FaissStore | ExactStore | MemoryStore):
        pytest.fail("a store is not a collection")
    index = vectors._index  # type: ignore[attr-defined]  # of whichever engine
    at_work, most = 0, 0
    guard, plain = threading.Lock(), type(index).search

    def slow(self: object, *arguments: object) -> object:
        nonlocal at_work, most
        with guard:
            at_work += 1
            most = max(most, at_work)
        soon(lambda: most == 2)
        with guard:
            at_work -= 1
        return plain(self, *arguments)

    monkeypatch.setattr(type(index), "search", slow)
    threads = [threading.Thread(target=vectors.search, args=(unit(1), 3)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


@pytest.mark.parametrize("store", [ExactStore, FaissStore], ids=lambda store: store.__name__)
def test_a_search_goes_on_with_its_snapshot_while_the_index_changes(tmp_path: Path, store: type[VectorStore]) -> None:
    storage = Storage.create(tmp_path / "library", partial(store.open, Settings()))
    with storage.transaction() as catalog:
        catalog.spaces.add(SPACE)
    put(storage, unit(50))
    before = collection(storage)._index  # type: ignore[attr-defined]  # the snapshot of a local collection
    expected = before.search(unit(3, seed=2), 5)
    put(storage, unit(3, seed=2), "new")
    after = collection(storage)._index  # type: ignore[attr-defined]  # the next one
    assert (len(before), len(after)) == (50, 53)
    assert before.search(unit(3, seed=2), 5)[1].tolist() == expected[1].tolist()
    storage.close()


# --- a whole library -----------------------------------------------------------------------------------------


def test_a_library_works_on_a_store_that_is_no_file(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrieval.library import backends

    monkeypatch.setattr(backends, "vector_store", lambda settings: partial(MemoryStore.open, settings))
    with Library.create(tmp_path / "library", COLOURS) as library:
        library.index([photos])
        assert not list((library.path / "vectors").glob("*picture*"))
        assert [hit.path.name for hit in library.search("red", k=1).hits if hit.path] == ["red.jpg"]
        library.remove([photos / "red.jpg"])
        assert "red.jpg" not in [hit.path.name for hit in library.search("red").hits if hit.path]
    with Library.open(tmp_path / "library", COLOURS, read_only=True) as library:
        assert len(library.search("type:photo").hits) == 3
