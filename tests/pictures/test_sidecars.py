"""Captions in XMP sidecars: nothing of anyone else is touched, and all of it can be taken back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from retrieval.errors import SourceError
from retrieval.pictures.metadata import read_sidecars
from retrieval.pictures.metadata.found import Found
from retrieval.pictures.metadata.xmp import read_xmp
from retrieval.pictures.sidecars import EMPTY, with_caption

from ..conftest import Run

LIGHTROOM = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core">
 <!-- a comment, and settings that no one here understands -->
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="uuid:1" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" crs:Exposure="+0.35" xmp:Rating="4"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
DESCRIBED = EMPTY.replace(
    " </rdf:RDF>",
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">the barn door</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF>',
).encode()


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRIEVAL_VLM", "colours")


@pytest.mark.parametrize("packet", [None, LIGHTROOM])
@pytest.mark.parametrize("caption", ["a <b>& 'c' \"d\"", "ünï 写 \x07", "]]>"])
def test_a_caption_goes_in_beside_all_that_was_there(packet: bytes | None, caption: str, tmp_path: Path) -> None:
    found = with_caption(packet, caption, "builtin")
    assert found is not None
    for line in (packet or b"").splitlines():
        assert line.strip() in found
    assert b"dc:description" in found
    fields, before = read_xmp(found), read_xmp(packet or EMPTY)
    assert fields == before, "what a model said is no one's description"
    (tmp_path / "a.xmp").write_bytes(found.replace(b'retrieval:Caption="', b'retrieval:Caption="not '))
    read = Found()
    read_sidecars([tmp_path / "a.xmp"], read)
    said = read.facts().description  # as every other program reads it
    assert said == " ".join(caption.replace("\x07", " ").split())


@pytest.mark.parametrize("words", [b"the barn door", b""])
def test_a_description_of_its_own_stays(words: bytes) -> None:
    assert with_caption(DESCRIBED.replace(b"the barn door", words), "a red picture", "m") is None


@pytest.mark.parametrize("packet", [b"", b"no xml", LIGHTROOM.decode().encode("utf-16"), b"<a></a>"])
def test_what_is_no_packet_is_left_alone(packet: bytes) -> None:
    with pytest.raises(SourceError, match="not an XMP"):
        with_caption(packet, "a red picture", "m")


def test_written_sidecars_are_read_by_others_and_not_by_us_and_undone(filled: Run, photos: Path) -> None:
    (photos / "lime.xmp").write_bytes(LIGHTROOM)
    (photos / "blue.xmp").write_bytes(DESCRIBED)
    filled("index", photos)
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    found = json.loads(filled("caption", "--all", "--write-xmp", "--json").stdout)["sidecars"]
    assert (found["written"], found["kept"], found["problems"]) == (3, 1, [])
    assert b"a lime picture" in (photos / "lime.xmp").read_bytes()
    assert b"a red picture" in (photos / "red.jpg.xmp").read_bytes()
    assert (photos / "blue.xmp").read_bytes() == DESCRIBED
    assert json.loads(filled("index", photos, "--json").stdout)["changed"] == 0
    (photos / "red.jpg").touch()
    os.utime(photos / "red.jpg", ns=(1, 1))
    filled("index", photos)
    assert filled("captions", photos / "red.jpg", "-k", 9).stdout.count("a red picture") == 1
    again = json.loads(filled("caption", "--all", "--write-xmp", "--json").stdout)["sidecars"]
    assert (again["written"], again["unchanged"]) == (0, 3)
    assert filled("caption", "--all", "--undo-xmp").stdout == "sidecars: 3 undone\n"
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before
    assert filled("caption", "--all", "--undo-xmp").stdout == "sidecars: nothing to do\n"
    assert filled("check").stdout == "all is well\n"


def test_a_better_caption_takes_the_place_of_the_first_and_undo_still_knows_the_beginning(
    filled: Run, photos: Path
) -> None:
    (photos / "red.xmp").write_bytes(LIGHTROOM)
    filled("caption", photos / "red.jpg", "--write-xmp", "-q")
    filled("caption", photos / "red.jpg", "--set", "the barn door", "--write-xmp")
    written = (photos / "red.xmp").read_bytes()
    assert b"the barn door" in written
    assert b"a red picture" not in written
    filled("caption", photos / "red.jpg", "--undo-xmp")
    assert (photos / "red.xmp").read_bytes() == LIGHTROOM


def test_a_sidecar_that_someone_changed_since_stays_as_it_is(filled: Run, photos: Path) -> None:
    filled("caption", photos / "red.jpg", "--write-xmp", "-q")
    place = photos / "red.jpg.xmp"
    place.write_bytes(place.read_bytes().replace(b"a red picture</rdf:li>", b"my barn</rdf:li>"))
    changed = place.read_bytes()
    assert "changed since" in filled("caption", photos / "red.jpg", "--undo-xmp").stderr
    found = filled("caption", photos / "red.jpg", "--write-xmp", "-q")
    assert place.read_bytes() == changed, found.stderr
    filled("index", photos)
    assert "my barn" in filled("captions", photos / "red.jpg").stdout


def test_a_folder_that_cannot_be_written_is_a_problem_and_the_others_are_done(filled: Run, photos: Path) -> None:
    (photos / "red.jpg.xmp").mkdir()
    result = filled("caption", "--all", "--write-xmp", "-q")
    assert "red.jpg.xmp" in result.stderr
    assert "sidecars: 3 written" in result.stdout
