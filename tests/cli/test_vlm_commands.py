"""The commands that a vision-language model answers, on the one that knows colours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from ..conftest import Run


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRIEVAL_VLM", "colours")


def test_ask_prints_the_answer_on_one_picture(run: Run, photos: Path) -> None:
    assert run("ask", photos / "red.jpg", "what colour?").stdout == "red\n"


def test_ask_names_its_sources_on_several(run: Run, photos: Path) -> None:
    found = run("ask", photos / "red.jpg", photos / "blue.webp", "what colour?").stdout
    assert found == f"{photos}/red.jpg: red\n{photos}/blue.webp: blue\n"
    together = json.loads(run("ask", photos / "red.jpg", photos / "blue.webp", "which?", "--together", "--json").stdout)
    assert [entry["answer"] for entry in together["answers"]] == ["red, blue"]


def test_ask_asks_about_the_hits_of_a_search(filled: Run, photos: Path) -> None:
    found = filled("ask", "--search", "something red", "-k", 2, "is it red?").stdout.splitlines()
    assert found[0] == f"{photos}/red.jpg: yes (100% sure)"
    assert len(found) == 2


def test_a_broken_picture_among_several_is_left_out_aloud(run: Run, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"no picture")
    result = run("ask", photos / "red.jpg", photos / "broken.jpg", "what colour?")
    assert result.stdout == "red\n"
    assert "left out" in result.stderr
    assert "not in a known picture format" in run("ask", photos / "broken.jpg", "what colour?", code=5).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["only a question?"], 2, "name a picture before the question"),
        (["red.jpg", " "], 2, "the question is empty"),
        (["nowhere.jpg", "what?"], 5, "no such file"),
    ],
)
def test_a_wrong_question_is_one_line(run: Run, photos: Path, arguments: list[str], code: int, says: str) -> None:
    named = [str(photos / each) if each.endswith(".jpg") else each for each in arguments]
    assert says in run("ask", *named, code=code).stderr


def test_what_the_model_cannot_do_comes_with_the_next_step(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RETRIEVAL_VLM")
    assert "yes-or-no questions only" in run("ask", photos / "red.jpg", "what?", code=2).stderr
    assert "`retrieval vlms` lists" in run("ground", photos / "red.jpg", "red", code=2).stderr
    assert "vlms pull hf-hub:a/b" in run("ask", photos / "red.jpg", "what?", "--vlm", "hf-hub:a/b", code=4).stderr


def test_ground_prints_pixels_and_draws(run: Run, tmp_path: Path) -> None:
    image = Image.new("RGB", (200, 100), "white")
    image.paste((255, 0, 0), (50, 20, 150, 80))
    image.save(tmp_path / "cup.png")
    drawn = tmp_path / "boxes.png"
    assert (
        run("ground", tmp_path / "cup.png", "the red cup", "--draw", drawn).stdout == "50\t20\t150\t80\tthe red cup\n"
    )
    assert Image.open(drawn).convert("RGB").getpixel((50, 79)) != (255, 0, 0)
    found = json.loads(run("ground", tmp_path / "cup.png", "the red cup", "--json").stdout)
    assert found["boxes"] == [
        {"label": "the red cup", "left": 0.25, "top": 0.2, "right": 0.75, "bottom": 0.8, "score": None}
    ]


def test_ground_exits_with_one_where_there_is_nothing(run: Run, photos: Path) -> None:
    result = run("ground", photos / "blue.webp", "the red cup", code=1)
    assert (result.stdout, "nothing found" in result.stderr) == ("", True)


def test_a_drawing_needs_an_ending_that_is_a_format(run: Run, photos: Path, tmp_path: Path) -> None:
    assert (
        "a picture format" in run("ground", photos / "red.jpg", "red", "--draw", tmp_path / "boxes.doc", code=2).stderr
    )


def test_vlms_lists_every_family_with_what_it_can_do(run: Run) -> None:
    rows = {row["family"]: row for row in json.loads(run("vlms", "--json").stdout)["models"]}
    assert rows["Qwen3-VL"]["abilities"] == ["answer", "caption", "chat", "count", "ground", "images", "judge", "video"]
    assert rows["moondream2"]["route"] == "endpoint"
    assert len(run("vlms").stdout.splitlines()) == len(rows) + 1


def test_caption_keeps_captions_that_are_found_by_search(filled: Run, photos: Path) -> None:
    told = filled("caption", photos / "red.jpg")
    assert told.stdout == "a red picture\n"
    assert "1 picture captioned by colours" in told.stderr
    assert filled("caption", photos / "red.jpg", "-q").stderr == ""
    assert "a red picture" in filled("search", "red", "-k", 1).stdout
    assert filled("captions", photos / "red.jpg", "-k", 1).stdout.split("\t")[-2] == "a red picture"
    found = json.loads(filled("caption", "--all", "--json").stdout)
    assert (found["captioned"], found["settled"]) == (3, 1)
    assert json.loads(filled("caption", "--all", "--json").stdout)["captioned"] == 0
    assert filled("check").stdout == "all is well\n"


def test_caption_never_touches_what_people_wrote(filled: Run, photos: Path) -> None:
    filled("caption", photos / "red.jpg", "-q")
    filled("caption", photos / "red.jpg", "--set", "the barn door")
    assert json.loads(filled("caption", "--all", "--json").stdout)["captioned"] == 3
    assert "the barn door" in filled("search", "red", "-k", 1).stdout
    assert "a red picture" not in filled("captions", photos / "red.jpg").stdout


def test_caption_missing_leaves_pictures_with_any_text_alone(run: Run, photos: Path) -> None:
    (photos / "red.txt").write_text("the barn door")
    run("index", photos)
    assert json.loads(run("caption", "--all", "--missing", "--json").stdout)["captioned"] == 3


def test_a_picture_that_has_gone_is_a_problem_and_the_others_are_captioned(filled: Run, photos: Path) -> None:
    (photos / "red.jpg").unlink()
    found = json.loads(filled("caption", "--all", "--json").stdout)
    assert found["captioned"] == 3
    assert [problem["reason"] for problem in found["problems"]] == ["vanished"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--all"),
        (["--all", "--set", "x"], "one picture"),
    ],
)
def test_caption_wants_to_know_which(filled: Run, arguments: list[str], says: str) -> None:
    assert says in filled("caption", *arguments, code=2).stderr


def test_captions_generates_with_and_without_a_library(run: Run, photos: Path) -> None:
    assert run("captions", photos / "red.jpg", "--generate").stdout == "generated: a red picture\n"
    assert (
        json.loads(run("captions", photos / "red.jpg", "--generate", "--json").stdout)["generated"] == "a red picture"
    )


@pytest.mark.parametrize("judge", [[], ["--judge"]], ids=["encoder", "model"])
def test_classify_names_the_label_that_fits_best(filled: Run, photos: Path, judge: list[str]) -> None:
    found = json.loads(filled("classify", photos, "--labels", "red,lime,blue,yellow", "--json", *judge).stdout)[
        "pictures"
    ]
    assert {Path(each["path"]).stem: each["label"] for each in found} == {
        name: name for name in ("red", "lime", "blue", "yellow")
    }
    assert all(each["margin"] > 0 and next(iter(each["scores"])) == each["label"] for each in found)
    line = filled("classify", photos / "red.jpg", "--labels", "red,blue", *judge).stdout
    assert line.startswith("label\tmargin\tpath\nred\t")
    assert line.endswith(f"\t{photos}/red.jpg\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--labels", "a,b"], "--all"),
        (["--all", "--labels", "a"], "two different labels"),
        (["--all", "--labels", "a,,b"], "two different labels"),
    ],
)
def test_classify_says_what_is_missing(filled: Run, arguments: list[str], says: str) -> None:
    assert says in filled("classify", *arguments, code=2).stderr


def test_a_mask_is_written_and_laid_on_the_drawing(run: Run, tmp_path: Path) -> None:
    image = Image.new("RGB", (200, 100), "white")
    image.paste((255, 0, 0), (50, 20, 150, 80))
    image.save(tmp_path / "cup.png")
    mask, drawn = tmp_path / "mask.png", tmp_path / "drawn.png"
    run("ground", tmp_path / "cup.png", "the blue cup", "--mask", mask, code=1)
    assert Image.open(mask).getextrema() == (0, 0)
    run("ground", tmp_path / "cup.png", "the red cup", "--mask", mask, "--draw", drawn)
    found = Image.open(mask)
    assert (found.mode, found.size, found.getpixel((100, 50)), found.getpixel((10, 10))) == ("L", (200, 100), 255, 0)
    assert Image.open(drawn).convert("RGB").getpixel((120, 60)) != (255, 0, 0)


def test_a_model_without_masks_is_refused_before_it_works(run: Run, photos: Path, tmp_path: Path) -> None:
    refused = run(
        "ground",
        photos / "red.jpg",
        "red",
        "--mask",
        tmp_path / "m.png",
        "--vlm",
        "endpoint:http://[::1]:9/v1#m",
        code=2,
    )
    assert "draws no masks; CLIPSeg and Florence-2 do" in refused.stderr


def test_a_chat_in_a_pipe_asks_line_by_line(run: Run, photos: Path) -> None:
    asked = b"what colour is it?\n\nis it blue?\n"
    assert run("chat", photos / "red.jpg", photos / "blue.webp", input=asked).stdout == "red, blue\nyes\n"
    lines = run("chat", photos / "red.jpg", "--json", input=asked).stdout.splitlines()
    assert [json.loads(line)["answer"] for line in lines] == ["red", "no"]


def test_a_model_that_does_not_chat_is_refused(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrieval.vlm import Ability
    from retrieval.vlm.colours import ColourVlm

    monkeypatch.setattr(ColourVlm, "abilities", frozenset({Ability.ANSWER}))
    assert "does not hold conversations" in run("chat", photos / "red.jpg", input=b"what?\n", code=2).stderr
