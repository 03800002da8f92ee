"""One library: opened, locked, repaired; its parts agree or it says which does not."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval import Library, check
from retrieval.errors import (
    LibraryDamaged,
    LibraryError,
    LibraryLocked,
    LibraryNotFound,
    LibraryReadOnly,
    LibraryVersionError,
    RetrievalError,
    StorageFull,
)
from retrieval.types.records import Kind
from retrieval.types.request import SearchRequest

from ..conftest import COLOURS, Paint


def best(library: Library, words: str = "red") -> str:
    path = library.search(words, k=1).hits[0].path
    assert path is not None
    return path.name


@pytest.fixture
def place(library: Library, photos: Path) -> Path:
    """A filled library, closed."""
    library.index([photos])
    library.close()
    return library.path


def reopen(place: Path) -> Library:
    return Library.open(place, COLOURS)


def vector_file(place: Path) -> Path:
    return next((place / "vectors").glob("1-picture-*"))


def test_a_place_without_a_library_is_named_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match="retrieval index FOLDER --index"):
        reopen(tmp_path / "nothing")


def test_an_empty_library_says_how_to_fill_it(library: Library) -> None:
    with pytest.raises(LibraryNotFound, match="retrieval index FOLDER"):
        library.search("red")


def test_a_library_of_another_format_is_refused(place: Path) -> None:
    (place / "library.json").write_text('{"format": 99}')
    with pytest.raises(LibraryVersionError, match="format 99"):
        reopen(place)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": "x"}'])
def test_a_broken_manifest_is_repaired(place: Path, content: str) -> None:
    (place / "library.json").write_text(content)
    with pytest.raises(LibraryDamaged, match="--repair"):
        reopen(place)
    assert [finding.mended for finding in check(place, COLOURS, repair=True)] == [True]
    with reopen(place) as library:
        assert best(library) == "red.jpg"


def test_a_library_is_not_made_where_other_files_are(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="other files"):
        Library.create(photos, COLOURS)
    (tmp_path / "file").touch()
    with pytest.raises(LibraryError, match="is a file"):
        Library.create(tmp_path / "file", COLOURS)


@pytest.mark.parametrize("harm", ["delete", "truncate", "garbage", "swap"])
def test_a_lost_or_damaged_vector_file_is_made_anew_from_the_catalog(place: Path, harm: str) -> None:
    file = vector_file(place)
    if harm == "delete":
        file.unlink()
    elif harm == "truncate":
        file.write_bytes(file.read_bytes()[:50])
    elif harm == "garbage":
        file.write_bytes(os.urandom(300))
    else:
        shutil.copy(next((place / "vectors").glob("1-text-*")), file)
    assert any("vector file" in finding.what for finding in check(place, COLOURS))
    with reopen(place) as library:
        assert best(library) == "red.jpg"
    assert [finding.mended for finding in check(place, COLOURS, repair=True)] == [True]
    assert check(place, COLOURS) == []


@pytest.mark.slow
def test_a_vector_file_that_is_behind_is_topped_up(place: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill between the commit and the file: the old file, a newer catalog."""
    old = vector_file(place)
    kept = old.read_bytes()
    with sqlite3.connect(place / "catalog.sqlite") as connection:
        row = connection.execute("SELECT file, upto, checksum FROM vector_files WHERE kind='picture'").fetchone()
    shutil.copy(photos / "red.jpg", photos / "x.jpg")
    (photos / "blue.webp").unlink()
    from PIL import Image

    Image.new("RGB", (9, 9), "cyan").save(photos / "cyan.png")
    with reopen(place) as library:
        monkeypatch.setattr(library.storage.vectors, "save", lambda: None)  # the kill
        library.index([photos])
    assert vector_file(place).read_bytes() == kept
    with sqlite3.connect(place / "catalog.sqlite") as connection:
        assert (
            connection.execute("SELECT file, upto, checksum FROM vector_files WHERE kind='picture'").fetchone() == row
        )
    with reopen(place) as library:
        assert best(library, "cyan") == "cyan.png"
        assert "blue.webp" not in {hit.path.name for hit in library.search("blue", k=9).hits if hit.path}


def test_a_reader_sees_what_a_writer_commits(library: Library, photos: Path) -> None:
    library.index([photos])
    with reopen(library.path) as reader:
        assert best(reader, "blue") == "blue.webp"
        (photos / "blue.webp").unlink()
        library.index([photos])
        assert best(reader, "blue") != "blue.webp"


@pytest.mark.parametrize(
    ("lost", "items", "left"),
    [
        ("roots", 4, []),
        ("items_by_content", 4, []),  # an index, which is made anew
        ("embeddings", 4, ["4 pictures are not embedded yet; run `retrieval index` on their folders"]),
        ("contents", 0, []),
        ("items", 0, []),
    ],
)
def test_a_corrupt_catalog_is_saved_as_far_as_it_can_be_read(
    place: Path, lost: str, items: int, left: list[str]
) -> None:
    overwrite(place / "catalog.sqlite", lost)
    assert [finding.what.split(":")[0] for finding in check(place, COLOURS)] == ["catalog.sqlite"]
    check(place, COLOURS, repair=True)
    assert (place / "catalog.sqlite.damaged").exists()
    with reopen(place) as library:
        assert library.status().items == items
    assert [finding.what for finding in check(place, COLOURS)] == left


def overwrite(catalog: Path, name: str) -> None:
    """Put garbage where a table or an index begins."""
    with sqlite3.connect(catalog) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()
    data = bytearray(catalog.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    catalog.write_bytes(bytes(data))


def test_a_catalog_that_is_no_database_is_one_clear_error(place: Path) -> None:
    (place / "catalog.sqlite").write_bytes(b"x" * 8192)
    for end in ("-wal", "-shm"):
        (place / f"catalog.sqlite{end}").unlink(missing_ok=True)
    with pytest.raises(LibraryDamaged):
        reopen(place)
    with pytest.raises(LibraryDamaged, match="index again"):
        check(place, COLOURS, repair=True)


def test_a_damaged_vector_is_found_forgotten_and_encoded_again(place: Path, photos: Path) -> None:
    with sqlite3.connect(place / "catalog.sqlite") as connection:
        bad = np.array([np.nan, 1, 0], "<f4").tobytes()
        connection.execute("UPDATE embeddings SET vector = ? WHERE content_id = 1", (bad,))
    assert any("vectors are damaged" in finding.what for finding in check(place, COLOURS))
    check(place, COLOURS, repair=True)
    with reopen(place) as library:
        assert library.index([photos]).encoded == 1
    assert check(place, COLOURS) == []


HOLD = """
import sys
from retrieval import Library, Settings
with Library.open(sys.argv[1], Settings(model="colours")) as library, library.storage.write_lock("a long run"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_second_writer_is_told_who_the_first_is_and_readers_go_on(place: Path, photos: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    first.stdout.readline()
    with reopen(place) as library:
        with pytest.raises(LibraryLocked, match=rf"a long run.*process {first.pid}"):
            library.index([photos])
        assert best(library) == "red.jpg"
        assert str(first.pid) in library.status().writer
    first.communicate("\n", timeout=60)
    with reopen(place) as library:
        assert library.index([photos]).unchanged == 4


def test_a_killed_writer_leaves_no_lock(place: Path, photos: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    first.stdout.readline()
    first.kill()
    first.communicate()
    with reopen(place) as library:
        assert library.index([photos]).unchanged == 4


def test_a_library_that_cannot_be_written_is_searched_and_not_indexed(
    place: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # root may write everywhere: what `os.access` says is what the package goes by
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    with reopen(place) as library:
        assert best(library) == "red.jpg"
        with pytest.raises(LibraryReadOnly, match="permissions"):
            library.index([photos])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs to mount a small file system")
def test_a_full_disk_is_one_clear_error_and_what_was_committed_is_kept(tmp_path: Path) -> None:
    from PIL import Image

    mount, folder = tmp_path / "small", tmp_path / "noise"
    mount.mkdir()
    folder.mkdir()
    for number in range(120):
        Image.effect_noise((400, 400), 90 + number / 9).convert("RGB").save(folder / f"{number}.png")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "none", str(mount)], capture_output=True)
    if done.returncode:
        pytest.skip("cannot mount here: " + done.stderr.decode())
    try:
        with Library.create(mount / "library", COLOURS) as library:
            with pytest.raises(StorageFull, match="no room"):
                library.index([folder])
            kept = library.status().items
        with reopen(mount / "library") as library:
            assert library.status().items == kept
            subprocess.run(["mount", "-o", "remount,size=60m", str(mount)], check=True)
            assert library.index([folder]).added == 120 - kept
            assert len(library.search("grey", k=200).hits) == 120
    finally:
        subprocess.run(["umount", str(mount)], check=False)


def test_an_empty_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(RetrievalError):
        Library.create(full / "library", COLOURS)


def test_scores_are_those_of_the_stored_vectors(library: Library, photos: Path) -> None:
    """The index compares in half precision; an exact match still shows 1."""
    library.index([photos])
    item = next(iter(library))
    ids, vectors = library.storage.vectors.get(Kind.PICTURE, [item.content])
    assert len(ids) == 1
    assert library.search(SearchRequest.by_vector(vectors[0], k=1)).hits[0].score == pytest.approx(1.0, abs=1e-6)


def test_the_manifest_names_the_parts(place: Path) -> None:
    assert json.loads((place / "library.json").read_text())["truth"] == "catalog.sqlite"


@pytest.mark.slow
def test_a_few_new_pictures_do_not_write_the_vectors_anew(library: Library, paint: Paint) -> None:
    """Up to a hundredth of them is read from the catalog at each opening."""
    paths = [paint(f"{number}.png", f"rgb({number},9,9)") for number in range(150)]
    folder = paths[0].parent
    library.index([folder])
    kept = vector_file(library.path)
    paint("cyan.png")
    library.index([folder])
    assert vector_file(library.path) == kept
    with reopen(library.path) as reader:
        assert best(reader, "cyan") == "cyan.png"
    for number in range(5):
        paint(f"late{number}.png", f"rgb(9,{number},200)")
    library.index([folder])
    assert vector_file(library.path) != kept
    with reopen(library.path) as reader:
        assert best(reader, "cyan") == "cyan.png"


@pytest.mark.parametrize("copied", [False, True])
def test_a_vector_file_that_is_whole_is_used_as_it_is(
    place: Path, monkeypatch: pytest.MonkeyPatch, copied: bool
) -> None:
    """By its size and time, and where those are others, as after copying, by its sum."""
    if copied:
        os.utime(vector_file(place), ns=(1, 1))

    def rebuilt(*_: object) -> None:
        raise AssertionError("it was made again")

    monkeypatch.setattr("retrieval.vectors.local.LocalCollection._from_catalog", rebuilt)
    with reopen(place) as library:
        assert best(library) == "red.jpg"
