"""A vision-language model among the encoder's hits: what it changes, when it stops, and what happens when it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from retrieval import Library, Settings, evaluate_library, evaluate_library_rerank
from retrieval.errors import ModelUnavailable, UsageError
from retrieval.search.rerank import combined_verdict
from retrieval.storage import lock
from retrieval.types.records import Answer, Budget, Judgement, VisionFeatures
from retrieval.vlm import Ability
from retrieval.vlm.colours import ColourVlm

from ..conftest import COLOURS, DATA, Paint

SHADES = 20


def _green(image: Image.Image) -> int:
    return image.convert("RGB").resize((1, 1)).getpixel((0, 0))[1]  # type: ignore[index]  # three numbers


class Judge(ColourVlm):
    """Says yes to pictures by their green; everything else about it is beside the point."""

    name = identity = "judge"
    abilities = frozenset({Ability.JUDGE})

    def __init__(self, rule: Callable[[int], float], fails_after: int = 1000) -> None:
        self.rule, self.fails_after = rule, fails_after
        self.asked = 0

    def judge(self, query: str, images: Sequence[Image.Image]) -> list[Judgement]:  # any query
        self.asked += len(images)
        if self.asked > self.fails_after:
            raise ModelUnavailable("the server has gone")
        return [Judgement(self.rule(_green(image))) for image in images]


@pytest.fixture
def shades(library: Library, paint: Paint) -> Library:
    """Pictures from red (0.png) towards yellow (19.png): the encoder finds them in this order for "red"."""
    paths = [paint(f"{n}.png", f"rgb(255,{6 * n},0)") for n in range(SHADES)]
    library.index([paths[0].parent])
    return library


def search(library: Library, judge: Judge, k: int = 3, text: str = "red", **budget: object) -> Answer:
    with Library.open(library.path, COLOURS, vlm=judge) as opened:
        return opened.search(text, k=k, rerank=Budget(**budget))  # type: ignore[arg-type]  # its two fields


def names(answer: Answer) -> list[str]:
    return [hit.path.stem for hit in answer.hits if hit.path]


def test_the_encoder_alone_finds_the_reddest_first(shades: Library) -> None:
    assert names(shades.search("red", k=3)) == ["0", "1", "2"]


def test_a_sure_verdict_brings_a_picture_up_and_is_shown(shades: Library) -> None:
    found = search(shades, Judge(lambda green: 0.99 if green == 60 else 0.02))
    assert names(found)[0] == "10"
    assert found.hits[0].verdict is not None
    assert found.hits[0].verdict.yes == pytest.approx(0.99)
    assert [hit.rank for hit in found.hits] == [1, 2, 3]
    assert any(note.startswith("checked ") and note.endswith("of 20 with judge") for note in found.notes)


def test_what_was_said_is_kept_and_never_asked_again(shades: Library) -> None:
    judge = Judge(lambda green: 0.99 if green == 60 else 0.02)
    first = search(shades, judge)
    asked = judge.asked
    assert names(search(shades, judge)) == names(first)
    assert judge.asked == asked > 0
    with Library.open(shades.path, shades.settings) as again:
        search(again, judge)
    assert judge.asked == asked


def test_nothing_more_is_asked_once_the_top_is_settled(shades: Library) -> None:
    judge = Judge(lambda green: 0.98 if green < 24 else 0.02)
    assert set(names(search(shades, judge))) <= {"0", "1", "2", "3"}
    assert judge.asked < SHADES


def test_the_depth_bounds_what_is_looked_at(shades: Library) -> None:
    judge = Judge(lambda _: 0.5)
    found = search(shades, judge, k=2, depth=4)
    assert judge.asked <= 4
    assert len(found.hits) == 2


class Paced(Judge):
    """Takes a second for every call, by a clock of its own."""

    now = 0.0

    def __init__(self) -> None:
        super().__init__(lambda green: 0.01 + green / 500)

    def judge(self, query: str, images: Sequence[Image.Image]) -> list[Judgement]:
        self.now += 1
        return super().judge(query, images)


@pytest.mark.parametrize(("seconds", "asked"), [(0.5, 8), (1.5, 8), (2.0, 16), (2.9, 16), (3.0, 20), (None, 20)])
def test_no_call_is_begun_that_would_pass_the_budget_and_the_rest_is_said(
    shades: Library, monkeypatch: pytest.MonkeyPatch, seconds: float | None, asked: int
) -> None:
    judge = Paced()
    monkeypatch.setattr("retrieval.search.rerank.time", SimpleNamespace(perf_counter=lambda: judge.now))
    found = search(shades, judge, k=20, seconds=seconds)
    assert judge.asked == asked
    assert f"checked {asked} of 20 with judge" in found.notes


def captioned(shades: Library, tmp_path: Path) -> Library:
    """Every shade gets a caption that says how much green it has; the encoder reads them all as "red"."""
    rows = "".join(f"{n}.png,red {n}\n" for n in range(SHADES))
    table = tmp_path / "captions.csv"
    table.write_text(f"image,caption\n{rows}")
    shades.index([], [(table, shades.status().roots[0])])
    return shades


class Reader(Judge):
    """Knows which shade a caption means; with `wrong`, says the opposite."""

    def __init__(self, *, wrong: bool) -> None:
        super().__init__(lambda green: 0.5)
        self.wrong = wrong

    def judge(self, query: str, images: Sequence[Image.Image]) -> list[Judgement]:
        self.asked += len(images)
        fits = [_green(image) == 6 * int(query.split()[-1]) for image in images]
        return [Judgement(0.98 if fit is not self.wrong else 0.02) for fit in fits]


def test_a_model_that_was_measured_not_to_help_is_left_off_aloud(shades: Library, tmp_path: Path) -> None:
    library = captioned(shades, tmp_path)
    judge = Reader(wrong=True)
    with Library.open(library.path, COLOURS, vlm=judge) as opened:
        assert evaluate_library_rerank(opened).gains["MRR"].high < 0
    judge.asked = 0
    found = search(library, judge, text="red 7")
    assert judge.asked == 0
    assert names(found) == names(library.search("red 7", k=3))
    assert found.notes[-1].startswith("judge is left off: on 20 captions of this library it changed")
    search(library, judge, text="red 7", anyway=True)
    assert judge.asked > 0


def test_a_model_that_was_measured_to_help_stays_on(shades: Library, tmp_path: Path) -> None:
    library = captioned(shades, tmp_path)
    judge = Reader(wrong=False)
    with Library.open(library.path, COLOURS, vlm=judge) as opened:
        assert evaluate_library_rerank(opened).gains["MRR"].low > 0
    assert names(search(library, judge, text="red 7"))[0] == "7"


def test_a_library_without_captions_cannot_be_measured(shades: Library) -> None:
    with pytest.raises(UsageError, match="has 0 captions by people and needs 20"):
        evaluate_library(shades)


class Keeper(Judge):
    """Looks once at each picture, and judges from that."""

    looked = 0

    def vision_features(self, images: Sequence[Image.Image]) -> list[VisionFeatures]:
        self.looked += len(images)
        return [np.array([[_green(image)]], np.float16) for image in images]

    def judge_features(self, query: str, looks: Sequence[VisionFeatures]) -> list[Judgement]:  # any query
        self.asked += len(looks)
        return [Judgement(self.rule(int(look[0, 0]))) for look in looks]

    def verify_features(self, question: str, looks: Sequence[VisionFeatures]) -> list[Judgement]:
        return self.judge_features(question, looks)


def test_a_look_is_kept_so_that_another_query_needs_no_picture(shades: Library, tmp_path: Path) -> None:
    keeper = Keeper(lambda green: 0.99 if green == 60 else 0.02)
    assert names(search(shades, keeper))[0] == "10"
    looked = keeper.looked
    assert looked == keeper.asked
    for path in (tmp_path / "photos").iterdir():
        path.write_bytes(b"")  # it can be shown, but not read
    found = search(shades, keeper, text="a red one", depth=20)
    assert names(found)[0] == "10"
    assert keeper.asked == 2 * looked
    assert keeper.looked == looked
    assert not any("could not be checked" in note for note in found.notes)


def test_where_it_fails_the_encoders_order_is_delivered(shades: Library) -> None:
    found = search(shades, Judge(lambda _: 0.5, fails_after=0))
    assert names(found) == ["0", "1", "2"]
    assert any("judge failed (the server has gone); this is the encoder's order" in note for note in found.notes)


def test_verdicts_that_do_not_differ_change_nothing_and_that_is_said(shades: Library) -> None:
    found = search(shades, Judge(lambda _: 0.5))
    assert names(found) == ["0", "1", "2"]
    assert any("do not differ" in note for note in found.notes)


def test_no_opinion_weighs_nothing(shades: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge(lambda green: green / 120)
    monkeypatch.setattr(judge, "judge", lambda _, images: [Judgement(0.9, 0.0) for _ in images])
    assert names(search(shades, judge)) == ["0", "1", "2"]


@pytest.mark.slow
def test_a_picture_that_has_gone_is_named_and_the_others_are_checked(shades: Library, tmp_path: Path) -> None:
    (tmp_path / "photos" / "1.png").unlink()
    found = search(shades, Judge(lambda green: 0.99 if green == 60 else 0.02))
    assert names(found)[0] == "10"
    assert any("1.png could not be checked" in note for note in found.notes)


def test_while_no_turn_to_write_comes_verdicts_are_used_but_not_kept(
    shades: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "TURN_SECONDS", 0.1)
    judge = Judge(lambda green: 0.99 if green == 60 else 0.02)
    with Library.open(shades.path, shades.settings) as other, other.storage.locks.turn():
        found = search(shades, judge)
    assert names(found)[0] == "10"
    assert any("not kept" in note for note in found.notes)


def test_the_command_line_reranks(shades: Library, monkeypatch: pytest.MonkeyPatch, run: Callable[..., object]) -> None:
    monkeypatch.setenv("RETRIEVAL_INDEX", str(shades.path))
    result = run("search", "red", "--rerank", "--vlm", "colours", "--budget", "30s", "-k", 2)
    assert "of 20 with colours" in result.stderr  # type: ignore[attr-defined]  # a click Result
    assert "write 3s" in run("search", "red", "--rerank", "--budget", "soon", code=2).stderr  # type: ignore[attr-defined]  # as above
    assert "the query has none" in run("search", "--item", 1, "--rerank", "--vlm", "colours", code=2).stderr  # type: ignore[attr-defined]  # as above


class Verifier(Judge):
    """Has no opinion on queries, and says of the reddest half that a lime can be seen."""

    abilities = frozenset({Ability.JUDGE, Ability.ANSWER, Ability.COUNT})

    def __init__(self) -> None:
        super().__init__(lambda _green: 0.5)
        self.questions: set[str] = set()

    def verify(self, question: str, images: Sequence[Image.Image]) -> list[Judgement]:
        self.questions.add(question)
        return [Judgement(0.99 if _green(image) < 60 else 0.01) for image in images]


def test_counts_and_absences_are_asked_each_by_itself(shades: Library) -> None:
    verifier = Verifier()
    found = search(shades, verifier, k=5, depth=SHADES, text="red without any lime")
    assert verifier.questions == {"can you see a lime?"}
    assert [hit.path.stem for hit in found.hits if hit.path] == ["10", "11", "12", "13", "14"]
    assert found.query == "red without any lime"
    assert any("understood: red; does not show a lime" in note for note in found.notes)


def test_a_part_that_was_answered_for_another_query_is_not_asked_again(shades: Library) -> None:
    search(shades, Verifier(), k=SHADES, depth=SHADES, text="red without any lime")
    later = Verifier()
    search(shades, later, k=5, depth=SHADES, text="two cars without any lime")
    assert later.questions == {"can you see two cars?"}


def test_a_model_that_answers_no_questions_judges_the_query_without_them(shades: Library) -> None:
    found = search(shades, Judge(lambda green: green / 255), k=3, depth=SHADES, text="red without any lime")
    assert not any("understood" in note for note in found.notes)
    assert len(found.hits) == 3


def test_parts_of_a_query_add_up() -> None:
    yes, no, unknown = Judgement(0.9), Judgement(0.1), Judgement(0.5, 0.0)
    assert combined_verdict([yes, no], [True, False]).yes > 0.98
    assert combined_verdict([yes, yes], [True, False]).yes == pytest.approx(0.5)
    assert combined_verdict([yes, unknown], [True, True]).yes == pytest.approx(0.9)
    assert combined_verdict([unknown], [True]) is unknown


def test_a_model_that_cannot_count_is_not_asked_for_numbers(shades: Library) -> None:
    verifier = Verifier()
    verifier.abilities = frozenset({Ability.JUDGE, Ability.ANSWER})
    search(shades, verifier, k=5, depth=SHADES, text="two cars without any lime")
    assert verifier.questions == {"can you see a lime?"}


@pytest.mark.slow
@pytest.mark.data
def test_where_captions_have_a_ranking_the_model_is_left_off_aloud(tmp_path: Path) -> None:
    """With the captions of nearly every picture stored, the built-in model made the order worse."""
    photos = sorted((DATA / "flickr8k" / "dev").glob("*.jpg"))[:120]
    with Library.create(tmp_path / "library", Settings()) as library:
        library.index(photos, [(DATA / "flickr8k" / "dev.csv", DATA / "flickr8k" / "dev")])
        plain = library.search("a dog runs on the grass", k=5)
        asked = library.search("a dog runs on the grass", k=5, rerank=Budget(depth=10))
        assert [hit.path for hit in asked.hits] == [hit.path for hit in plain.hits]
        assert any("left off" in note for note in asked.notes)
        anyway = library.search("a dog runs on the grass", k=5, rerank=Budget(depth=10, anyway=True))
        assert any(hit.verdict for hit in anyway.hits)
        absent = library.search("a dog without a leash", k=5, rerank=Budget(depth=10))
        assert any(hit.verdict for hit in absent.hits)
