"""Pictures out of a library, and embeddings and archives into one."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from retrieval import Library
from retrieval.errors import ModelError, SourceError, UsageError
from retrieval.indexing import text_contents
from retrieval.transfer.copy_link import copied, linked
from retrieval.types.request import SearchRequest

from ..conftest import COLOURS, Paint, Run

TABLE = (
    "image,caption\nred.jpg,a red door\nred.jpg,red again\nblue.webp,the blue sea\nlime.png,a lime\nyellow.bmp,sun\n"
)


@pytest.fixture
def filled(library: Library, photos: Path, tmp_path: Path) -> Library:
    (tmp_path / "c.csv").write_text(TABLE)
    library.index([photos], [(tmp_path / "c.csv", photos)])
    return library


@pytest.fixture
def other(tmp_path: Path) -> Library:
    return Library.create(tmp_path / "other", COLOURS)


def said(library: Library) -> dict[str, list[str]]:
    with library.storage.read() as catalog:
        return {item.path.name: sorted(catalog.captions.of([item.content]).get(item.content, [])) for item in library}


# --- files ------------------------------------------------------------------------------------------------------------


def test_copies_and_links_never_overwrite(photos: Path, paint: Paint, tmp_path: Path) -> None:
    album = tmp_path / "album"
    same = paint("sub/red.jpg", "darkred")
    deeds = list(copied([photos / "red.jpg", same, photos / "red.jpg", photos / "gone.jpg"], album))
    assert [(deed.to.name, deed.done, deed.reason) for deed in deeds] == [
        ("red.jpg", True, ""),
        ("red (2).jpg", True, ""),
        ("red.jpg", False, "it is there already"),
        ("gone.jpg", False, "there is no such file any more"),
    ]
    again = list(copied([photos / "red.jpg", same], album))
    assert [(deed.to.name, deed.done) for deed in again] == [("red.jpg", False), ("red (2).jpg", False)]
    assert (album / "red (2).jpg").read_bytes() == same.read_bytes()
    links = list(linked([photos / "red.jpg"], tmp_path / "links"))
    assert links[0].to.readlink() == photos / "red.jpg"
    assert not next(iter(linked([photos / "red.jpg"], tmp_path / "links"))).done


def test_a_folder_that_cannot_be_written_is_refused(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be used as the folder"):
        list(copied([photos / "red.jpg"], tmp_path / "file"))


def test_an_answer_becomes_an_album(run: Run, photos: Path, tmp_path: Path) -> None:
    run("index", photos)
    run(
        "search",
        "red",
        "-k",
        "1",
        "--copy-to",
        tmp_path / "a",
        "--link-to",
        tmp_path / "b",
        "--export",
        "csv",
        tmp_path / "c",
    )
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["red.jpg"]
    assert (tmp_path / "b" / "red.jpg").is_symlink()
    assert len((tmp_path / "c" / "captions.csv").read_text().splitlines()) == 2


# --- out, and in again ------------------------------------------------------------------------------------------------


def test_npy_is_laid_out_as_clip_retrieval_has_it(filled: Library, tmp_path: Path) -> None:
    filled.export(tmp_path / "out", "npy")
    images, texts = (np.load(tmp_path / "out" / name / f"{name}_0.npy") for name in ("img_emb", "text_emb"))
    table = pq.read_table(tmp_path / "out" / "metadata" / "metadata_0.parquet").to_pydict()
    assert [Path(path).name for path in table["image_path"]] == ["blue.webp", "lime.png", "red.jpg", "yellow.bmp"]
    assert table["caption"] == ["the blue sea", "a lime", "a red door", "sun"]
    encoder = filled.services.encoder()
    assert texts == pytest.approx(encoder.texts(table["caption"]), abs=1e-6)
    assert images.shape == (4, 3)
    assert filled.search(SearchRequest.by_vector(images[2], k=1)).hits[0].path == Path(table["image_path"][2])


def test_texts_are_left_out_where_a_picture_has_none(filled: Library, paint: Paint, tmp_path: Path) -> None:
    filled.index([paint("black.png")])
    filled.export(tmp_path / "out", "npy")
    assert not (tmp_path / "out" / "text_emb").exists()


@pytest.mark.parametrize("form", ["npy", "parquet"])
def test_what_is_exported_can_be_imported_without_encoding(
    filled: Library, other: Library, tmp_path: Path, form: str
) -> None:
    filled.export(tmp_path / "out", form)  # type: ignore[arg-type]  # one of them
    report = other.import_embeddings(tmp_path / "out")
    assert (report.added, report.encoded, report.problems) == (4, 0, ())
    assert said(other) == said(filled)
    asked = [(hit.path, hit.score) for hit in filled.search("red").hits]
    assert [(hit.path, hit.score) for hit in other.search("red").hits] == asked
    assert len(other.thumbnails([hit.content for hit in other.search("red").hits])) == 4
    assert other.import_embeddings(tmp_path / "out").unchanged == 4


def test_csv_has_a_row_for_each_caption_and_can_be_indexed(filled: Library, other: Library, tmp_path: Path) -> None:
    filled.export(tmp_path / "out", "csv")
    with (tmp_path / "out" / "captions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["caption"] for row in rows if "red" in row["image_path"]) == ["a red door", "red again"]
    other.index([row["image_path"] for row in rows], [tmp_path / "out" / "captions.csv"])
    assert said(other) == said(filled)


@pytest.mark.parametrize("form", ["npy", "parquet", "csv", "webdataset"])
def test_captions_by_a_model_come_back_as_by_that_model(
    filled: Library, other: Library, tmp_path: Path, form: str
) -> None:
    def by_models(library: Library) -> list[tuple[str, str]]:
        with library.storage.read() as catalog:
            found = catalog.captions.with_models({item.content for item in library})
        return sorted({pair for pairs in found.values() for pair in pairs})

    content = next(item.content for item in filled if item.path.name == "red.jpg")
    with filled.storage.transaction() as catalog:
        catalog.captions.put_generated(content, text_contents.add(catalog, ["a thing"])[0], "some-vlm", "")
    before = by_models(filled)
    assert ("a thing", "some-vlm") in before
    assert ("a red door", "") in before
    for library in (other, filled):  # into another library, and into the same one
        exported = filled.export(tmp_path / f"out{len(library)}", form)  # type: ignore[arg-type]  # one of them
        if form == "webdataset":
            library.import_archives(exported.files, tmp_path / f"unpacked{len(library)}")
        elif form == "csv":
            library.index([item.path for item in filled], [exported.files[0]])
        else:
            library.import_embeddings(exported.folder)
        assert by_models(library) == before


def test_archives_hold_upright_jpegs_with_texts(filled: Library, other: Library, tmp_path: Path) -> None:
    found = filled.export(tmp_path / "out", "webdataset", filled.search("red", k=2))
    assert [path.name for path in found.files] == ["00000.tar"]
    with tarfile.open(found.files[0]) as archive:
        names = archive.getnames()
        picture = archive.extractfile("000000000.jpg")
        facts = archive.extractfile("000000000.json")
        assert picture is not None
        assert facts is not None
        assert Image.open(io.BytesIO(picture.read())).format == "JPEG"
        assert json.loads(facts.read())["caption"] == "a red door"
    assert names[:3] == ["000000000.jpg", "000000000.txt", "000000000.json"]
    report = other.import_archives(found.files, tmp_path / "unpacked")
    assert (report.added, report.problems) == (2, ())
    assert said(other)["000000000.jpg"] == ["a red door", "red again"]  # all of them, each once
    assert other.import_archives(found.files, tmp_path / "unpacked").unchanged == 2


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_embeddings_of_another_model_are_refused(filled: Library, other: Library, tmp_path: Path) -> None:
    filled.export(tmp_path / "out", "npy")
    file = tmp_path / "out" / "img_emb" / "img_emb_0.npy"
    rows = np.load(file)
    np.save(file, -rows)
    with pytest.raises(ModelError, match="not from colours"):
        other.import_embeddings(tmp_path / "out")
    np.save(file, np.ones((4, 5), np.float32))
    with pytest.raises(ModelError, match="5 numbers"):
        other.import_embeddings(tmp_path / "out")
    assert len(other) == 0


def test_every_file_is_checked_against_the_model(filled: Library, other: Library, tmp_path: Path) -> None:
    filled.export(tmp_path / "out", "parquet")
    table = pq.read_table(tmp_path / "out" / "metadata_0.parquet")
    names = table.column_names
    turned = pa.array([[-x for x in row] for row in table["embedding"].to_pylist()], pa.list_(pa.float32()))
    pq.write_table(
        table.set_column(names.index("embedding"), "embedding", turned), tmp_path / "out" / "metadata_1.parquet"
    )
    with pytest.raises(ModelError, match=r"metadata_1\.parquet"):
        other.import_embeddings(tmp_path / "out")
    wide = pa.array([[1.0] * 5 for _ in range(4)], pa.list_(pa.float32()))
    pq.write_table(
        table.set_column(names.index("embedding"), "embedding", wide), tmp_path / "out" / "metadata_1.parquet"
    )
    with pytest.raises(ModelError, match="5 numbers"):
        other.import_embeddings(tmp_path / "out")


def test_pictures_without_captions_are_no_problem(
    library: Library, photos: Path, other: Library, tmp_path: Path
) -> None:
    library.index([photos])
    library.export(tmp_path / "out", "npy")
    assert other.import_embeddings(tmp_path / "out").problems == ()


def test_rows_that_cannot_be_used_are_told_and_the_others_are_read(
    filled: Library, other: Library, photos: Path, tmp_path: Path
) -> None:
    filled.export(tmp_path / "out", "npy")
    file = tmp_path / "out" / "img_emb" / "img_emb_0.npy"
    rows = np.load(file)
    rows[0] = 0
    np.save(file, rows)
    (photos / "lime.png").unlink()
    (photos / "yellow.bmp").write_bytes(b"no picture any more")
    report = other.import_embeddings(tmp_path / "out")
    assert report.added == 1
    assert {problem.path.name: problem.reason for problem in report.problems if problem.path.parent == photos} == {
        "blue.webp": "bad-row",
        "lime.png": "missing-picture",
        "yellow.bmp": "not-a-picture",
    }


def test_files_that_do_not_fit_each_other_are_refused(filled: Library, other: Library, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no img_emb"):
        other.import_embeddings(tmp_path)
    filled.export(tmp_path / "out", "npy")
    file = tmp_path / "out" / "img_emb" / "img_emb_0.npy"
    np.save(file, np.load(file)[:2])
    with pytest.raises(SourceError, match="2 rows"):
        other.import_embeddings(tmp_path / "out")
    (tmp_path / "out" / "metadata" / "metadata_0.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(SourceError, match=r"metadata_0\.parquet"):
        other.import_embeddings(tmp_path / "out")


def test_an_archive_writes_nowhere_else(other: Library, tmp_path: Path, photos: Path) -> None:
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as archive:
        for name in ("../../escaped.jpg", "/abs.jpg", "ok/in.jpg", "script.sh"):
            archive.add(photos / "red.jpg", name)
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    whole = evil.read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 3])
    other.import_archives([evil], tmp_path / "to")
    assert sorted(path.name for path in (tmp_path / "to").rglob("*.*")) == ["abs.jpg", "escaped.jpg", "in.jpg"]
    report = other.import_archives([tmp_path / "cut.tar"], tmp_path / "to2")
    assert any(problem.reason == "truncated" for problem in report.problems)


def test_an_export_needs_a_new_folder(filled: Library, photos: Path) -> None:
    with pytest.raises(UsageError, match="not empty"):
        filled.export(photos, "npy")


def test_export_and_import_on_the_command_line(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("index", photos)
    assert json.loads(run("export", tmp_path / "out", "--json").stdout)["pictures"] == 4
    run("export", tmp_path / "shards", "--format", "webdataset")
    monkeypatch.setenv("RETRIEVAL_INDEX", str(tmp_path / "second"))
    assert "4 new; 0 pictures encoded" in run("import", tmp_path / "out").stdout
    assert "--to" in run("import", tmp_path / "shards", code=2).stderr
    assert "4 new" in run("import", tmp_path / "shards", "--to", tmp_path / "pictures").stdout
    run("import", tmp_path / "nowhere", code=5)
