"""Folders, caption files and lists: what is found, what is skipped, and what is reported."""

from __future__ import annotations

import io
import os
import socket
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from retrieval.errors import SourceError
from retrieval.sources.caption_files import open_captions, read_captions
from retrieval.sources.folders import DirectoryEntry, Scan, scan
from retrieval.sources.lists import read_paths
from retrieval.sources.rules import Rules
from retrieval.types import path_pattern
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


def test_links_out_of_what_was_named_are_not_followed(tmp_path: Path) -> None:
    photos, other = tmp_path / "photos", tmp_path / "other"
    tree(photos, "a.jpg")
    tree(other, "b.jpg", "sub/c.jpg")
    (other / "secret").write_text("a password")
    (photos / "b.jpg").symlink_to(other / "b.jpg")
    (photos / "folder").symlink_to(other)
    (photos / "a.txt").symlink_to(other / "secret")
    (photos / "zero.jpg").symlink_to("/dev/zero")
    looked = Scan([photos])
    entries = [entry for entry in looked.entries() if isinstance(entry, DirectoryEntry)]
    assert [(entry.path, entry.sidecars) for entry in entries] == [(str(photos / "a.jpg"), ())]
    assert looked.led_out == [str(photos / name) for name in ("b.jpg", "folder", "zero.jpg")]
    assert found(photos / "a.jpg") == ["."], "a picture that is named by itself has no such sidecar, either"
    assert [entry.sidecars for entry in Scan([photos / "a.jpg"]).entries() if isinstance(entry, DirectoryEntry)] == [()]


def test_links_to_what_was_named_too_are_followed(tmp_path: Path) -> None:
    photos, other = tmp_path / "photos", tmp_path / "other"
    tree(photos, "a.jpg")
    tree(other, "b.jpg")
    (photos / "folder").symlink_to(other)
    (tmp_path / "link").symlink_to(photos)
    for looked in (Scan([photos], known=[other]), Scan([photos, photos / "folder"]), Scan([tmp_path / "link", other])):
        names = [Path(entry.path).name for entry in looked.entries() if isinstance(entry, DirectoryEntry)]
        assert (sorted(names), looked.led_out) == (["a.jpg", "b.jpg"], [])


def test_a_raw_file_beside_its_processed_picture_is_part_of_it(tmp_path: Path) -> None:
    tree(tmp_path, "one.NEF", "one.jpg", "two.nef")
    parts = {entry.path.name: entry.part_of for entry in scan([tmp_path]) if isinstance(entry, ScannedFile)}
    assert parts == {"one.NEF": tmp_path / "one.jpg", "one.jpg": None, "two.nef": None}


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


def touch_back(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, ns=(1, 1))


def test_any_change_of_a_sidecar_changes_what_is_found(tmp_path: Path) -> None:
    """Also one that keeps the time and the size, and of the older one of two."""
    tree(tmp_path, "a.jpg")

    def digest() -> str:
        (entry,) = scan([tmp_path])
        assert isinstance(entry, ScannedFile)
        return entry.sidecar_digest

    seen = [digest()]
    for change in (
        lambda: (tmp_path / "a.xmp").write_text("1"),
        lambda: (tmp_path / "a.txt").write_text("1"),
        lambda: touch_back(tmp_path / "a.txt", "1"),
        lambda: touch_back(tmp_path / "a.txt", "2"),
        lambda: (tmp_path / "a.txt").unlink(),
        lambda: (tmp_path / "a.xmp").rename(tmp_path / "A.JPG.XMP"),
    ):
        change()
        seen.append(digest())
    assert all(one != other for one, other in pairwise(seen))


@pytest.mark.parametrize(("glob", "fits"), [("*.jpg", True), ("2023/*", True), ("2024/*", False), ("/p/*", True)])
def test_a_glob_fits_a_name_a_tail_or_a_whole_path(glob: str, fits: bool) -> None:
    assert path_pattern.fits("/p/2023/a.jpg", glob) is fits


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
    ],
)
def test_a_file_that_is_no_caption_file_is_an_error_that_names_it(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=says) as caught:
        list(read_captions(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("data", [b"a.jpg\nb c.jpg\n", b"a.jpg\0b c.jpg\0", b"a.jpg\r\nb c.jpg".replace(b"\r", b"")])
def test_lists_of_paths_are_split_at_lines_or_nul(data: bytes) -> None:
    assert read_paths(io.BytesIO(data)) == [Path("a.jpg"), Path("b c.jpg")]


def test_a_listed_name_with_a_line_end_survives_nul_separation() -> None:
    assert read_paths(io.BytesIO(b"a\nb.jpg\0c\xff.jpg\0")) == [Path("a\nb.jpg"), Path(os.fsdecode(b"c\xff.jpg"))]


# --- odd files and folders ----------------------------------------------------------------------------------------


def rows(root: Path, rules: Rules | None = None) -> dict[str, str]:
    """What a scan says of each place below a root: its problem, or nothing."""
    entries = scan([root], rules)
    return {
        entry.path.name: f"{entry.reason}: {entry.message}" if isinstance(entry, Problem) else "" for entry in entries
    }


def test_what_is_no_file_is_named_and_costs_no_other(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "link.jpg").symlink_to("pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        found = rows(tmp_path)
    assert found.pop("a.jpg") == ""
    assert {name: said.partition(":")[0] for name, said in found.items()} == {
        "pipe.jpg": "unsupported",
        "s.jpg": "unsupported",
        "link.jpg": "unsupported",
        "loop.jpg": "unreadable",
    }
    assert "named pipe" in found["pipe.jpg"]
    assert "symbolic links" in found["loop.jpg"]


def test_a_tree_deeper_than_pythons_stack_is_walked(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(400):  # by descriptors: the whole path is longer than a path may be
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    tree(tmp_path, "a.jpg")
    assert rows(tmp_path) == {"a.jpg": ""}


def test_files_that_are_passed_over_are_counted_by_ending(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg", "b.EPS", "c.eps", "sub/d.ico", "e", "a.xmp", "other.xmp", ".hidden.eps", "code.ts")
    (tmp_path / "gone").symlink_to("nowhere")
    looked = Scan([tmp_path])
    assert [entry.path for entry in looked.entries()] == [str(tmp_path / "a.jpg")]
    assert looked.passed_over[tmp_path] == {".eps": 2, ".ico": 1, "": 1, ".xmp": 1, ".ts": 1}


def test_a_transport_stream_is_told_from_source_code(tmp_path: Path) -> None:
    packet = b"\x47" + b"\0" * 187
    (tmp_path / "film.ts").write_bytes(packet * 3)
    (tmp_path / "code.ts").write_text("export const a = 1;\n" * 40)
    assert found(tmp_path) == ["film.ts"]


@pytest.mark.parametrize("name", ["a.jpg ", "a.jpg_large", "a.JIF", "a.mpo", "a.insp", "a.jxl", "a.psd"])
def test_endings_of_phones_and_programs_are_taken(tmp_path: Path, name: str) -> None:
    assert found(tree(tmp_path, name)) == [name]


@pytest.mark.parametrize(
    "pattern", ["thumbs", "thumbs/", "./thumbs", "/thumbs", "thumbs/**", "{root}/thumbs", "**/thumbs"]
)
def test_a_folder_is_left_out_however_it_is_spelled(tmp_path: Path, pattern: str) -> None:
    tree(tmp_path, "a.jpg", "thumbs/b.jpg")
    assert found(tmp_path, Rules(exclude=(pattern.format(root=tmp_path),))) == ["a.jpg"]


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        (Rules(exclude=("*.mp4",)), ["[2020] Trip/c.jpg", "a.jpg"]),
        (Rules(exclude=("*.{mp4,mov}",)), ["[2020] Trip/c.jpg", "a.jpg"]),
        (Rules(exclude=("[2020] Trip",)), ["CLIP.MP4", "a.jpg"]),
        (Rules(include=("[2020] Trip/",)), ["[2020] Trip/c.jpg"]),
        (Rules(exclude=("*", "!*.jpg")), ["a.jpg"]),
    ],
)
def test_patterns_are_those_that_people_know(tmp_path: Path, rules: Rules, names: list[str]) -> None:
    tree(tmp_path, "a.jpg", "[2020] Trip/c.jpg", "CLIP.MP4")
    assert found(tmp_path, rules) == names


def test_a_pattern_that_fits_nothing_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "a.jpg", "b.png")
    looked = Scan([tmp_path], Rules(include=("*.jpg", "*.gif"), exclude=("nothing", "b.*")))
    list(looked.entries())
    assert looked.unused == {("include", "*.gif"), ("exclude", "nothing")}


def test_a_raw_file_stands_alone_where_its_picture_is_left_out(tmp_path: Path) -> None:
    tree(tmp_path, "a.dng", "a.jpg")
    for rules in (Rules(include=("*.dng",)), Rules(exclude=("*.jpg",))):
        (entry,) = scan([tmp_path], rules)
        assert isinstance(entry, ScannedFile)
        assert (entry.path.name, entry.part_of) == ("a.dng", None)


def test_a_drive_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "a/x.jpg", "b/y.jpg")
    real, never = os.scandir, threading.Event()

    def stuck(folder: str) -> object:
        if folder.endswith("/a"):
            never.wait(30)
        return real(folder)

    monkeypatch.setattr(os, "scandir", stuck)
    entries = list(Scan([tmp_path], seconds=0.3).entries())
    never.set()
    assert [entry.path for entry in entries if not isinstance(entry, Problem)] == [str(tmp_path / "b/y.jpg")]
    (problem,) = [entry for entry in entries if isinstance(entry, Problem)]
    assert problem.path == tmp_path / "a"
    assert "has not answered" in problem.message


# --- odd caption files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_separator_and_the_encoding_are_found_out_and_said(tmp_path: Path, separator: str, encoding: str) -> None:
    rows = [["image", "caption"], ["a.jpg", "Größe, Zürich"], ["b.jpg", "drei"]]
    text = "\n".join(separator.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows)
    (tmp_path / "c.csv").write_bytes(text.encode(encoding))
    opened = open_captions(tmp_path / "c.csv")
    assert [row.text for row in opened.rows if isinstance(row, Caption)] == ["Größe, Zürich", "drei"]
    assert any("separated by" in note for note in opened.notes) == (separator != ",")
    assert any("not UTF-8" in note for note in opened.notes) == (encoding == "cp1252")


@pytest.mark.parametrize("line", ["a.jpg\tone, two\n", "a.jpg#0\tone, two\n"])
def test_a_table_without_a_header_is_read_and_that_is_said(tmp_path: Path, line: str) -> None:
    (tmp_path / "c.txt").write_text(line)
    opened = open_captions(tmp_path / "c.txt")
    assert [(row.picture, row.text) for row in opened.rows if isinstance(row, Caption)] == [
        (tmp_path / "a.jpg", "one, two")
    ]
    assert "no header" in opened.notes[0]


@pytest.mark.parametrize(
    ("name", "content", "good", "problem"),
    [
        ("c.jsonl", '{"image":"a.jpg","caption":"one\u2028two"}\n{"image":"b.jpg","caption":"x\x85y"}\n', 2, ""),
        ("c.jsonl", '{"image":"a.jpg","caption":"cut \\ud83d"}\n{"image":"b.jpg","caption":"b"}\n', 2, "row 1"),
        ("c.jsonl", '{"image":"a.jpg","caption":"\\ud83d\\ude00"}\n{"image":"b.jpg","caption":"b"}\n', 2, ""),
        ("c.jsonl", "[" * 100_000 + '\n{"image":"b.jpg","caption":"b"}\n', 1, "row 1"),
        ("c.csv", "image,caption\na.jpg," + "x" * 140_000 + "\nb.jpg,b\n", 1, "140,000 letters"),
        ("c.csv", 'image,caption\na.jpg,"12 inch ruler\nb.jpg,b\n', 2, "never closed"),
        ("c.csv", 'image,caption\na.jpg,"12 inch\nb.jpg,"quoted"\n', 2, "never closed"),
        ("c.csv", 'image,caption\na.jpg,"two\nlines"\nb.jpg,b\n', 2, ""),
        ("c.csv", 'image,caption\na.jpg,12" ruler\nb.jpg,one, two\n', 2, ""),
        ("c.csv", "image,caption\r\na.jpg,a\r\n\r\nb.jpg,b", 2, ""),
        ("c.csv", "sep=;\nimage;caption\na.jpg;a\nb.jpg;b\n", 2, ""),
        ("c.csv", "# made by hand\nSourceFile,Description\na.jpg,a\nb.jpg,b, and more\n", 2, ""),
        ("c.jsonl", '{"image":"a.jpg","caption":"a"}\r{"image":"b.jpg","caption":"b"}\r', 2, ""),
        ("c.json", '{"images":[{"id":1,"file_name":"a.jpg"},{"id":[]},7],"annotations":[{"image_id":1,"caption":"a"},'
                   '{"image_id":1},{"image_id":{},"caption":"b"},8]}', 1, "annotation 2"),
    ],
)  # fmt: skip
def test_a_row_that_is_odd_costs_only_itself(tmp_path: Path, name: str, content: str, good: int, problem: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    found = list(read_captions(tmp_path / name))
    captions = [row for row in found if isinstance(row, Caption)]
    problems = [row.message for row in found if isinstance(row, Problem)]
    assert len(captions) == good
    assert all(row.picture in (tmp_path / "a.jpg", tmp_path / "b.jpg") for row in captions)
    assert all(row.text.encode() for row in captions), "each can be stored"
    assert (problem in problems[0]) if problem else not problems
