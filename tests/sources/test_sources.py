"""Folders, caption files and lists: what is found, what is skipped, and what is reported."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from retrieval.errors import SourceError
from retrieval.sources.caption_files import read_captions, sidecar_text
from retrieval.sources.folders import Rules, matches, scan
from retrieval.sources.lists import read_paths
from retrieval.types.records import Caption, Problem, ScannedFile


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def found(root: Path, rules: Rules | None = None) -> list[str]:
    return [entry.path.relative_to(root).as_posix() for entry in scan([root], rules) if isinstance(entry, ScannedFile)]


def test_folders_are_walked_and_only_pictures_count(tmp_path: Path) -> None:
    tree(tmp_path, "b.JPG", "a/deep/c.heic", "notes.txt", "song.mp3")
    assert found(tmp_path) == ["a/deep/c.heic", "b.JPG"]


@pytest.mark.parametrize("name", [".hidden.jpg", "._a.jpg", "@eaDir/a.jpg", ".git/a.jpg", "node_modules/a.jpg"])
def test_system_files_and_folders_are_skipped(tmp_path: Path, name: str) -> None:
    assert found(tree(tmp_path, name, "seen.jpg")) == ["seen.jpg"]


def test_hidden_files_come_when_asked_for_but_not_git(tmp_path: Path) -> None:
    tree(tmp_path, ".hidden/a.jpg", ".git/b.jpg")
    assert found(tmp_path, Rules(hidden=True)) == [".hidden/a.jpg"]


def test_globs_choose_by_name_or_path(tmp_path: Path) -> None:
    tree(tmp_path, "x/a.jpg", "y/a.jpg", "y/b.png")
    assert found(tmp_path, Rules(include=("y/*",))) == ["y/a.jpg", "y/b.png"]
    assert found(tmp_path, Rules(exclude=("y", "*.png"))) == ["x/a.jpg"]


def test_a_loop_of_links_ends_and_a_linked_folder_is_walked_once(tmp_path: Path) -> None:
    tree(tmp_path, "a/p.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "z").symlink_to(tmp_path / "a")
    assert found(tmp_path) == ["a/p.jpg"]


def test_a_raw_file_beside_its_processed_picture_is_one_item(tmp_path: Path) -> None:
    tree(tmp_path, "one.NEF", "one.jpg", "two.nef")
    assert found(tmp_path) == ["one.jpg", "two.nef"]


def test_names_that_are_not_utf8_are_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    tree(tmp_path, name)
    assert [entry.path.name for entry in scan([tmp_path]) if isinstance(entry, ScannedFile)] == [name]


def test_an_unreadable_folder_and_a_broken_link_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "ok.jpg", "locked/a.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nowhere.jpg")
    real = os.scandir

    def refuse(folder: Path) -> object:  # root may read everything: a permission cannot be taken away from it
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    problems = {entry.path.name: entry.reason for entry in scan([tmp_path]) if isinstance(entry, Problem)}
    assert problems == {"locked": "unreadable", "broken.jpg": "vanished"}


def test_a_single_file_counts_whatever_the_rules_say(tmp_path: Path) -> None:
    tree(tmp_path, ".hidden.jpg")
    assert [entry.path.name for entry in scan([tmp_path / ".hidden.jpg"])] == [".hidden.jpg"]


def test_a_missing_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere does not exist"):
        list(scan([tmp_path / "nowhere"]))


def test_a_changed_sidecar_changes_what_is_found(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg", "a.xmp")
    entry = next(iter(scan([tmp_path])))
    assert isinstance(entry, ScannedFile)
    assert entry.sidecar_mtime_ns == (tmp_path / "a.xmp").stat().st_mtime_ns


@pytest.mark.parametrize(("glob", "fits"), [("*.jpg", True), ("2023/*", True), ("2024/*", False), ("/p/*", True)])
def test_a_glob_fits_a_name_a_tail_or_a_whole_path(glob: str, fits: bool) -> None:
    assert matches(Path("/p/2023/a.jpg"), (glob,)) is fits


# --- captions -------------------------------------------------------------------------------------------------


def captions(path: Path, images: Path | None = None) -> list[tuple[str, str]]:
    rows = [row for row in read_captions(path, images) if isinstance(row, Caption)]
    return [(row.picture.name if row.picture else "", row.text) for row in rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv", 'image,caption\na.jpg,"one, two"\nb.jpg,three\n'),
        ("c.tsv", "filename\ttext\na.jpg\tone, two\nb.jpg\tthree\n"),
        ("c.jsonl", '{"file_name": "a.jpg", "caption": "one, two"}\n\n{"path": "b.jpg", "text": ["three"]}\n'),
        (
            "c.json",
            '{"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],'
            ' "annotations": [{"image_id": 1, "caption": "one, two"}, {"image_id": 2, "caption": "three"}]}',
        ),
        ("bom.csv", "\ufeffIMAGE,Caption\na.jpg,'one, two'\n".replace("'", '"') + "b.jpg,three\n"),
    ],
)
def test_every_format_gives_the_same_captions(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert captions(tmp_path / name) == [("a.jpg", "one, two"), ("b.jpg", "three")]


def test_a_corpus_of_texts_needs_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("text\na dog\na cat\n")
    assert captions(tmp_path / "c.csv") == [("", "a dog"), ("", "a cat")]


def test_picture_names_are_relative_to_the_folder_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("image,caption\nsub/a.jpg,x\n")
    rows = list(read_captions(tmp_path / "c.csv", Path("/photos")))
    assert [row.picture for row in rows if isinstance(row, Caption)] == [Path("/photos/sub/a.jpg")]


def test_bad_rows_are_reported_with_their_number_and_the_others_come(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"image": "a.jpg", "caption": "good"}\nnot json\n[1]\n{"image": "b.jpg"}\n')
    problems = [row.message for row in read_captions(path) if isinstance(row, Problem)]
    assert captions(path) == [("a.jpg", "good")]
    assert [message.split()[1] for message in problems] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("c.csv", b"a,b\n1,2\n", "no caption column"),
        ("c.csv", b"", "empty file"),
        ("c.json", b"{}", "not a COCO"),
        ("c.xml", b"<a/>", "captions come as"),
        ("c.csv", b"caption\n\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_caption_file_is_an_error_that_names_it(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=says) as caught:
        list(read_captions(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)


def test_the_text_beside_a_picture_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("  a red barn \n")
    assert sidecar_text(tmp_path / "a.jpg") == "a red barn"
    assert sidecar_text(tmp_path / "b.jpg") == ""


@pytest.mark.parametrize("data", [b"a.jpg\nb c.jpg\n", b"a.jpg\0b c.jpg\0", b"a.jpg\r\nb c.jpg".replace(b"\r", b"")])
def test_lists_of_paths_are_split_at_lines_or_nul(data: bytes) -> None:
    assert read_paths(io.BytesIO(data)) == [Path("a.jpg"), Path("b c.jpg")]


def test_a_listed_name_with_a_line_end_survives_nul_separation() -> None:
    assert read_paths(io.BytesIO(b"a\nb.jpg\0c\xff.jpg\0")) == [Path("a\nb.jpg"), Path(os.fsdecode(b"c\xff.jpg"))]
