"""Videos: a frame of each scene is found, with its second; films are written here by FFmpeg itself."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageFilter

from retrieval import Library, PictureError
from retrieval.pictures import hash_file, video
from retrieval.pictures.video_metadata import read_video_metadata

from ..conftest import Paint, Run

SIZE, RATE = (96, 64), 10


def film(path: Path, colours: Sequence[str], seconds: float = 2.0, keys: int = 10, codec: str = "mpeg4") -> Path:
    """Scenes of one colour, each `seconds` long, with a key frame every `keys` frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, RATE)
        stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = *SIZE, "yuv420p", keys
        stream.codec_context.time_base = Fraction(1, RATE)
        for colour in colours:
            frame: Any = av.VideoFrame
            for _ in range(int(seconds * RATE)):
                container.mux(stream.encode(frame.from_image(Image.new("RGB", SIZE, colour))))
        container.mux(stream.encode())
    return path


def main_colour(image: Image.Image) -> str:
    red, green, blue = np.asarray(image).reshape(-1, 3).mean(0)
    return "red" if red > 150 > green else "blue" if blue > 150 > green else "lime" if green > 150 else "black"


@pytest.mark.parametrize("keys", [10, 1000])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi"])
def test_every_scene_gives_one_frame_with_its_second(tmp_path: Path, name: str, keys: int) -> None:
    path = film(tmp_path / name, ["red", "blue", "red", "lime"], keys=keys)
    found = list(video.scenes(path))
    assert [main_colour(frame.image) for frame in found] == ["red", "blue", "red", "lime"]
    for number, frame in enumerate(found):
        assert 2 * number <= frame.second < 2 * number + 2
        assert main_colour(video.frame_at(path, frame.second)) == main_colour(frame.image)


def test_a_scene_that_goes_on_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "LONGEST", 5.0)
    path = film(tmp_path / "a.mp4", ["red"], seconds=16)
    assert [round(frame.second) for frame in video.scenes(path)] == [0, 5, 10, 15]


def test_the_sharpest_frame_stands_for_its_scene(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(90, 165, (*SIZE[::-1], 3), dtype=np.uint8))
    sharp = noise.resize((12, 8)).resize(SIZE, Image.Resampling.NEAREST)
    path = tmp_path / "a.mkv"
    frame: Any = av.VideoFrame
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv444p"
        for number in range(30):
            picture = sharp if number == 20 else sharp.filter(ImageFilter.GaussianBlur(6))
            container.mux(stream.encode(frame.from_image(picture)))
        container.mux(stream.encode())
    assert [round(each.second) for each in video.scenes(path)] == [2]


def test_a_film_held_upright_comes_upright(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", ["red"])
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # the matrix of the track's header: a quarter turn, as telephones write it
    data[place : place + 36] = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    path.write_bytes(data)
    assert next(video.scenes(path)).image.size == SIZE[::-1]
    facts = read_video_metadata(path).facts()
    assert (facts.width, facts.height, facts.format) == (*SIZE[::-1], "MP4")


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty"), (b"no film" * 100, "not-a-picture"), (b"\0\0\0\x18ftypmp42", "not-a-picture")]
)
def test_what_is_no_film_is_said(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(PictureError) as caught:
        hash_file(path)
        list(video.scenes(path))
    assert caught.value.reason == reason


def test_a_film_that_is_cut_off_gives_what_was_there(tmp_path: Path) -> None:
    whole = film(tmp_path / "a.mkv", ["red", "blue", "lime"], seconds=4)
    cut = tmp_path / "b.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert main_colour(next(video.scenes(cut)).image) == "red"


@pytest.fixture
def filmed(library: Library, paint: Paint) -> Library:
    """A red film with a blue scene from second 2 to 4, a lime picture, and a live photo."""
    photos = paint("lime.png").parent
    film(photos / "party.mp4", ["red", "blue", "red"])
    paint("live.jpg", "yellow")
    film(photos / "live.mov", ["yellow"])
    (photos / "broken.mp4").write_bytes(b"no film" * 100)
    library.index([photos])
    return library


def test_hits_name_the_second_and_a_film_is_one_hit(filmed: Library) -> None:
    hits = filmed.search("blue", k=9).hits
    assert [hit.path.name for hit in hits if hit.path] == ["party.mp4", "lime.png", "live.jpg"]
    assert hits[0].second is not None
    assert 2 <= hits[0].second < 4
    assert filmed.search("lime", k=1).hits[0].second is None
    assert len(filmed.search("red", k=2).hits) == 2


def test_a_film_is_one_file_of_the_library_and_moves_without_being_decoded(filmed: Library, tmp_path: Path) -> None:
    status = filmed.status()
    assert (status.items, status.pictures, status.problems) == (3, 5, 1)
    photos = tmp_path / "photos"
    again = filmed.index([photos])
    assert (again.unchanged, again.encoded, again.failed_before) == (3, 0, 1)
    (photos / "party.mp4").rename(photos / "fest.mp4")
    moved = filmed.index([photos])
    assert (moved.moved, moved.encoded, moved.removed) == (1, 0, 0)
    assert [hit.path.name for hit in filmed.search("blue", k=1).hits if hit.path] == ["fest.mp4"]
    film(photos / "fest.mp4", ["black"])
    assert filmed.index([photos]).changed == 1
    assert filmed.status().pictures == 3
    assert filmed.remove([photos / "fest.mp4"]) == 1
    assert filmed.status().items == 2


def test_commands_show_where_in_a_film(run: Run, tmp_path: Path) -> None:
    path = film(tmp_path / "films" / "party.mp4", ["red", "blue"])
    run("index", path.parent)
    found = run("search", "blue").stdout.splitlines()[1].split("\t")[3]
    assert found.startswith(f"{path}#t=2")
    assert run("search", "blue", "--paths").stdout == f"{path}\n"
    assert json.loads(run("search", "blue", "--json").stdout)["hits"][0]["second"] >= 2
    run("caption", "--all", "--vlm", "colours", "-q")
    assert "a blue picture" in run("search", "blue").stdout
    assert run("ask", "--search", "blue", "what colour?", "--vlm", "colours").stdout == "blue\n"


def test_a_film_is_asked_about_as_frames_in_order(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrieval.vlm import Ability
    from retrieval.vlm.colours import ColourVlm

    path = film(tmp_path / "party.mp4", ["red", "blue", "lime", "red"])
    expected = "red, red, blue, blue, lime, lime, red, red\n"
    assert run("ask", path, "what colours?", "--vlm", "colours").stdout == expected
    assert run("chat", path, "--vlm", "colours", input=b"what colours?\n").stdout == expected
    monkeypatch.setattr(ColourVlm, "abilities", frozenset({Ability.ANSWER, Ability.CHAT}))
    assert "reads no videos" in run("ask", path, "what colours?", "--vlm", "colours", code=2).stderr
    assert "reads no videos" in run("chat", path, "--vlm", "colours", input=b"what?\n", code=2).stderr
