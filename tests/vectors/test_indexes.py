"""Every vector index gives what plain comparison gives: ids and scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import LibraryDamaged
from retrieval.types.records import Ids, Vectors
from retrieval.vectors import faiss
from retrieval.vectors.exact import Exact
from retrieval.vectors.faiss import Faiss
from retrieval.vectors.file_index import VectorIndex

ENGINES: list[type[VectorIndex]] = [Exact, Faiss]
HALF = 2e-3  # what half precision may cost a score
each_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.__name__)


def unit(rows: int, dimensions: int = 16, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((rows, dimensions)).astype(np.float32)
    found: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def numbers(*values: int) -> Ids:
    return np.array(values, np.int64)


@each_engine
@pytest.mark.parametrize("allowed", [None, numbers(3, 7, 40, 41), numbers()], ids=["all", "four", "none"])
def test_ids_and_scores_equal_plain_comparison(engine: type[VectorIndex], allowed: Ids | None) -> None:
    vectors, queries = unit(50), unit(5, seed=1)
    index = engine(16)
    index.add(np.arange(50, dtype=np.int64), vectors)
    scores, ids = index.search(queries, 10, allowed)
    gallery = np.arange(50) if allowed is None else allowed
    for row, query in enumerate(queries):
        right = sorted(((float(vectors[i] @ query), int(i)) for i in gallery), reverse=True)[:10]
        assert ids[row, : len(right)].tolist() == [i for _, i in right]
        assert np.allclose(scores[row, : len(right)], [score for score, _ in right], atol=HALF)
        assert (ids[row, len(right) :] == -1).all()


@each_engine
def test_an_empty_index_answers_with_nothing(engine: type[VectorIndex]) -> None:
    scores, ids = engine(16).search(unit(2), 3)
    assert (ids == -1).all()
    assert np.isneginf(scores).all()


@each_engine
@pytest.mark.parametrize("k", [1, 5, 1_000_000])
def test_k_may_be_more_than_there_is(engine: type[VectorIndex], k: int) -> None:
    index = engine(16)
    index.add(numbers(5, 6, 7), unit(3))
    _, ids = index.search(unit(1, seed=2), k)
    assert (ids >= 0).sum() == min(k, 3)


@each_engine
def test_a_saved_index_comes_back_whole(engine: type[VectorIndex], tmp_path: Path) -> None:
    index = engine(16)
    index.add(numbers(9, 8, 7), unit(3))
    index.remove(numbers(8))
    index.save(tmp_path / "file")
    again = engine.load(tmp_path / "file", 16)
    assert again.search(unit(1), 5)[1].tolist() == index.search(unit(1), 5)[1].tolist()


@each_engine
@pytest.mark.parametrize("keep", [0, 10, 0.5])
def test_a_truncated_file_is_named_as_damaged(engine: type[VectorIndex], tmp_path: Path, keep: float) -> None:
    index, path = engine(16), tmp_path / "file"
    index.add(np.arange(200, dtype=np.int64), unit(200))
    index.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(LibraryDamaged, match="not whole"):
        engine.load(path, 16)


@each_engine
def test_a_file_of_other_dimensions_is_refused(engine: type[VectorIndex], tmp_path: Path) -> None:
    index = engine(16)
    index.add(numbers(1), unit(1))
    index.save(tmp_path / "file")
    with pytest.raises(LibraryDamaged, match=r"rows of 16|16\)"):
        engine.load(tmp_path / "file", 8)


steps = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "reload"]), st.lists(st.integers(0, 12), min_size=1, max_size=6)),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps)
def test_any_history_of_adding_and_removing_agrees_with_plain_comparison(
    steps: list[tuple[str, list[int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """FAISS after any add / remove / save / load is what `Exact` is after the same."""
    plain, index = Exact(4), Faiss(4)
    file = tmp_path_factory.mktemp("history") / "file"
    for number, (what, some) in enumerate(steps):
        ids = np.array(some, np.int64)
        if what == "add":
            rows = unit(len(ids), 4, seed=number)
            plain.add(ids, rows)
            index.add(ids, rows)
        elif what == "remove":
            plain.remove(ids)
            index.remove(ids)
        else:
            index.save(file)
            index = Faiss.load(file, 4)
    assert len(plain) == len(index)
    right, found = plain.search(unit(3, 4, 99), 20), index.search(unit(3, 4, 99), 20)
    assert np.allclose(
        np.where(np.isinf(right[0]), -9, right[0]), np.where(np.isinf(found[0]), -9, found[0]), atol=HALF
    )
    assert [set(row) for row in right[1].tolist()] == [set(row) for row in found[1].tolist()]


def clustered(rows: int, seed: int = 0) -> Vectors:
    """Unit vectors of 64 numbers about 40 centres: without any order, no sieve would be of use."""
    found = unit(40, 64)[np.random.default_rng(seed).integers(40, size=rows)] + 0.8 * unit(rows, 64, seed)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found.astype(np.float32)


@pytest.fixture
def sieved(monkeypatch: pytest.MonkeyPatch) -> tuple[Faiss, Vectors]:
    """An index that is past its limit, and its vectors by number."""
    monkeypatch.setattr(faiss, "EXACT_UP_TO", 2000)
    monkeypatch.setattr(faiss, "LATE_AT_LEAST", 100)
    vectors, index = clustered(4000), Faiss(64)
    for start in range(0, 4000, 1000):
        index.add(np.arange(start, start + 1000, dtype=np.int64), vectors[start : start + 1000])
    assert index._sieve is not None
    return index, vectors


def agreement(index: Faiss, vectors: Vectors, ids: Ids, seed: int = 5) -> float:
    """The share of the ten nearest of other queries that plain comparison gives, too."""
    plain = Exact(vectors.shape[1])
    plain.add(ids, vectors)
    queries = clustered(100, seed)
    pairs = zip(index.search(queries, 10)[1], plain.search(queries, 10)[1], strict=True)
    return float(np.mean([len(set(ours) & set(right)) / 10 for ours, right in pairs]))


def test_past_its_limit_faiss_has_a_sieve_and_still_finds(sieved: tuple[Faiss, Vectors]) -> None:
    index, vectors = sieved
    assert len(index) == 4000
    assert agreement(index, vectors, np.arange(4000)) > 0.95
    found = index.search(vectors[:200], 1)[1][:, 0]
    assert (found == np.arange(200)).mean() > 0.97
    few = index.search(vectors[:1], 10, numbers(11, 1500, 3999))[1]
    assert set(few[0].tolist()) == {11, 1500, 3999, -1}, "a filter that leaves three returns those three"
    index.remove(numbers(0))
    assert index.search(vectors[:1], 1)[1][0, 0] != 0


def test_a_small_search_leaves_torch_its_threads(sieved: tuple[Faiss, Vectors]) -> None:
    """FAISS and torch count the same threads."""
    index, vectors = sieved
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    index.search(vectors[:1], 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(before)
    assert threads == 2


@pytest.mark.parametrize("late", [50, 300], ids=["beside the file", "taken into memory"])
def test_a_mapped_file_takes_changes_and_is_saved_with_them(
    sieved: tuple[Faiss, Vectors], tmp_path: Path, late: int
) -> None:
    index, vectors = sieved
    index.save(tmp_path / "file")
    index = Faiss.load(tmp_path / "file", 64)
    new = clustered(late, seed=9)
    index.add(np.arange(3990, 3990 + late, dtype=np.int64), new)  # ten of them in place of others
    index.remove(np.arange(0, 500, dtype=np.int64))
    after = np.concatenate([vectors[500:3990], new])
    ids = np.arange(500, 3990 + late)
    assert sorted(index.ids.tolist()) == ids.tolist()
    assert agreement(index, after, ids) > 0.95
    index.save(tmp_path / "file")
    again = Faiss.load(tmp_path / "file", 64)
    assert again.ids.tolist() == ids.tolist()
    assert agreement(again, after, ids) > 0.95
    assert again.search(new[:5], 1)[1][:, 0].tolist() == [3990, 3991, 3992, 3993, 3994]
