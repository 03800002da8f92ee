"""Every format becomes the same upright sRGB picture; every broken file says why it cannot."""

from __future__ import annotations

import io
import os
import struct
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import piexif
import pytest
from PIL import Image, ImageCms

from retrieval.errors import PictureError
from retrieval.pictures import decode, open_picture, read_file, read_sidecars, thumbnail
from retrieval.pictures.metadata.found import Found
from retrieval.types.records import Facts

from .. import dng

RED = (200, 30, 40)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def halves(mode: str = "RGB") -> Image.Image:
    """Left half red, right half blue, 60 x 40."""
    image = Image.new("RGB", (60, 40), RED)
    image.paste((20, 40, 210), (30, 0, 60, 40))
    return image.convert(mode)


def near(image: Image.Image, at: tuple[int, int], colour: tuple[int, int, int], within: int = 14) -> bool:
    return bool(np.abs(np.asarray(image.getpixel(at), int) - colour).max() <= within)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000", "PPM"])
def test_every_format_is_decoded(form: str) -> None:
    image = decode(encoded(halves(), form)).image
    assert (image.mode, image.size) == ("RGB", (60, 40))
    assert near(image, (8, 20), RED)
    assert near(image, (52, 20), (20, 40, 210))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_upright_whatever_its_orientation(orientation: int) -> None:
    """The camera stored it turned; what comes out has the red half on the left again."""
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = halves().transpose(turn[orientation]) if orientation > 1 else halves()
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode(encoded(stored, "JPEG", exif=exif, quality=95))
    assert near(picture.image, (8, 20), RED)
    assert near(picture.image, (52, 20), (20, 40, 210))
    assert (picture.facts.width, picture.facts.height, picture.facts.orientation) == (60, 40, orientation)


def test_transparency_is_laid_on_white() -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 10, 20))
    for form in ("PNG", "WEBP"):
        found = decode(encoded(image, form, **({"lossless": True} if form == "WEBP" else {}))).image
        assert near(found, (15, 10), (255, 255, 255))
        assert near(found, (3, 10), RED)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK"])
def test_other_modes_become_rgb(mode: str) -> None:
    image = Image.new("L", (20, 20), 255).convert(mode)
    form = {"CMYK": "TIFF"}.get(mode, "PNG")
    assert near(decode(encoded(image, form)).image, (10, 10), (255, 255, 255))


def test_sixteen_bits_are_scaled_not_cut() -> None:
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    found = np.asarray(decode(encoded(Image.fromarray(values), "PNG")).image)[..., 0]
    assert np.abs(found.astype(int) - np.arange(256).reshape(16, 16)).max() <= 1


def test_colours_are_converted_by_their_profile() -> None:
    """The same numbers under a profile with swapped primaries are another colour in sRGB."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    as_lab = ImageCms.profileToProfile(Image.new("RGB", (8, 8), RED), srgb, lab, outputMode="LAB")
    assert as_lab is not None
    data = encoded(as_lab, "TIFF", icc_profile=lab.tobytes())
    assert near(decode(data).image, (4, 4), RED, within=6)
    assert near(decode(encoded(halves(), "PNG", icc_profile=b"not a profile")).image, (8, 20), RED, within=1)


def test_a_large_jpeg_is_reduced_while_it_is_decoded() -> None:
    image = Image.effect_noise((1600, 1200), 60).convert("RGB")
    picture = decode(encoded(image, "JPEG"), "a.jpg", least=224)
    assert picture.image.size == (800, 600)
    assert (picture.facts.width, picture.facts.height) == (1600, 1200)
    assert decode(encoded(image, "PNG"), "a.png", least=224).image.size == (800, 600)


def test_a_small_picture_stays_as_it_is() -> None:
    assert decode(encoded(halves(), "JPEG"), "a.jpg", least=224).image.size == (60, 40)


# --- RAW --------------------------------------------------------------------------------------------------------


def test_a_raw_file_without_preview_is_developed() -> None:
    picture = decode(dng.make((200, 0, 0), (640, 480)), "a.DNG")
    red, green, blue = picture.image.getpixel((300, 200))  # type: ignore[misc]  # RGB
    assert picture.image.size == (640, 480)
    assert red > green + 60
    assert red > blue + 60
    assert (picture.facts.camera, picture.facts.format) == ("Test Box", "RAW")


def test_a_large_preview_is_taken_and_a_small_one_is_not() -> None:
    large = encoded(Image.new("RGB", (1024, 768), "blue"), "JPEG")
    small = encoded(Image.new("RGB", (160, 120), "blue"), "JPEG")
    found = decode(dng.make((200, 0, 0), (640, 480), large), "a.dng")
    assert near(found.image, (500, 300), (0, 0, 255))
    assert (found.facts.width, found.facts.height) == (640, 480)
    assert not near(decode(dng.make((200, 0, 0), (640, 480), small), "a.dng").image, (300, 200), (0, 0, 255), within=90)


def test_a_preview_is_turned_as_the_raw_file_says() -> None:
    """Held upright: only the RAW header knows, the preview inside lies on its side."""
    preview = encoded(halves().resize((1024, 768)), "JPEG")
    found = decode(dng.make((200, 0, 0), (640, 480), preview, orientation=6), "a.dng")
    assert found.image.size == (768, 1024)
    assert near(found.image, (400, 100), RED)
    assert (found.facts.width, found.facts.height) == (480, 640)


def test_a_cut_raw_file_says_why() -> None:
    with pytest.raises(PictureError) as caught:
        decode(dng.make((200, 0, 0), (640, 480))[:300], "a.dng")
    assert caught.value.reason in {"not-a-picture", "truncated", "unreadable"}


# --- what cannot be used ----------------------------------------------------------------------------------------


def lying_png(width: int, height: int) -> bytes:
    """A PNG that claims a size it does not have."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 30)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello, I am a text", "not-a-picture"),
        (encoded(halves(), "JPEG")[:-300], "truncated"),
        (encoded(Image.effect_noise((200, 200), 90), "PNG")[:300], "truncated"),
        (lying_png(50_000, 50_000), "too-large"),
        (lying_png(300, 300), "truncated"),
    ],
    ids=["text", "cut jpeg", "cut png", "bomb", "liar"],
)
def test_bytes_that_cannot_be_used_say_why(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as caught:
        decode(data, "a.jpg")
    assert caught.value.reason == reason


def test_the_wrong_ending_does_no_harm() -> None:
    assert decode(encoded(halves(), "PNG"), "a.jpg").image.size == (60, 40)
    assert decode(encoded(halves(), "JPEG"), "a.nef").image.size == (60, 40)


def test_every_cut_of_a_picture_is_a_picture_or_a_reason() -> None:
    for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF", "JPEG2000", "BMP"):
        whole = encoded(halves(), form)
        for length in range(1, len(whole), max(1, len(whole) // 23)):
            try:
                decode(whole[:length], "a")
            except PictureError as exc:
                assert exc.reason in {"not-a-picture", "truncated", "unreadable", "too-large"}


@pytest.mark.parametrize("kind", ["vanished", "empty", "unsupported"])
def test_files_that_cannot_be_read_say_why(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.jpg"
    if kind == "empty":
        path.touch()
    elif kind == "unsupported":
        os.mkfifo(path)
    with pytest.raises(PictureError) as caught:
        read_file(path)
    assert caught.value.reason == kind


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")
    (tmp_path / "c").write_bytes(b"other")
    digests = [read_file(tmp_path / name)[1] for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


def test_a_thumbnail_is_small_and_keeps_the_shape() -> None:
    picture = decode(encoded(halves().resize((1200, 800)), "JPEG"))
    small = Image.open(io.BytesIO(thumbnail(picture.image)[0]))
    assert (small.format, small.size) == ("WEBP", (320, 213))


# --- metadata ---------------------------------------------------------------------------------------------------


def exif_bytes() -> bytes:
    dumped: bytes = piexif.dump(
        {
            "0th": {
                piexif.ImageIFD.Make: b"NIKON",
                piexif.ImageIFD.Model: b"NIKON Z 6",
                piexif.ImageIFD.ImageDescription: b"a barn in the evening",
                piexif.ImageIFD.Rating: 4,
            },
            "Exif": {
                piexif.ExifIFD.DateTimeOriginal: b"2023:06:01 18:30:00",
                piexif.ExifIFD.OffsetTimeOriginal: b"+02:00",
                piexif.ExifIFD.LensModel: b"NIKKOR Z 50mm",
            },
            "GPS": {
                piexif.GPSIFD.GPSLatitudeRef: b"N",
                piexif.GPSIFD.GPSLatitude: ((38, 1), (42, 1), (30, 1)),
                piexif.GPSIFD.GPSLongitudeRef: b"W",
                piexif.GPSIFD.GPSLongitude: ((9, 1), (8, 1), (0, 1)),
            },
        }
    )
    return dumped


def xmp(body: str, attributes: str = "") -> str:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/">'
        f"<rdf:Description {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def test_exif_is_read() -> None:
    found = decode(encoded(halves(), "JPEG", exif=exif_bytes())).facts
    assert found.taken_at == datetime(2023, 6, 1, 18, 30, tzinfo=timezone(timedelta(hours=2)))
    assert (found.camera, found.lens, found.rating) == ("NIKON Z 6", "NIKKOR Z 50mm", 4)
    assert found.latitude == pytest.approx(38.7083, abs=1e-3)
    assert found.longitude == pytest.approx(-9.1333, abs=1e-3)
    assert found.texts == ("a barn in the evening",)


def test_facts_alone_are_read_without_decoding() -> None:
    opened = open_picture(encoded(halves(), "JPEG", exif=exif_bytes())[:-60])
    assert opened.found.facts().camera == "NIKON Z 6"


def test_a_time_without_zone_stays_without_zone() -> None:
    exif = piexif.dump({"Exif": {piexif.ExifIFD.DateTimeOriginal: b"2023:06:01 18:30:00"}})
    found = decode(encoded(halves(), "JPEG", exif=exif)).facts
    assert found.taken_at == datetime(2023, 6, 1, 18, 30)


@pytest.mark.parametrize("broken", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b""])
def test_broken_exif_is_left_out(broken: bytes) -> None:
    assert decode(encoded(halves(), "JPEG", exif=broken)).facts.taken_at is None


def test_zero_dates_and_impossible_places_are_left_out() -> None:
    exif = piexif.dump(
        {
            "Exif": {piexif.ExifIFD.DateTimeOriginal: b"0000:00:00 00:00:00"},
            "GPS": {piexif.GPSIFD.GPSLatitude: ((0, 0), (0, 0), (0, 0)), piexif.GPSIFD.GPSLatitudeRef: b"N"},
        }
    )
    found = decode(encoded(halves(), "JPEG", exif=exif)).facts
    assert (found.taken_at, found.latitude) == (None, None)


def test_embedded_xmp_is_read() -> None:
    body = (
        "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>The barn</rdf:li><rdf:li>Die Scheune</rdf:li></rdf:Alt>"
        "</dc:title>"
        "<dc:subject><rdf:Bag><rdf:li>farm</rdf:li><rdf:li>evening</rdf:li></rdf:Bag></dc:subject>"
    )
    packet = xmp(body, 'xmp:Rating="5" photoshop:DateCreated="2022-05-04T10:00:00Z"')
    found = decode(encoded(halves(), "PNG", pnginfo=_png_text("XML:com.adobe.xmp", packet))).facts
    assert (found.title, found.keywords, found.rating) == ("The barn", ("farm", "evening"), 5)
    assert found.taken_at == datetime(2022, 5, 4, 10, tzinfo=UTC)


def _png_text(key: str, text: str) -> object:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt(key, text)
    return info


def test_a_sidecar_speaks_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.xmp").write_text(xmp("<dc:description><rdf:Alt><rdf:li>mine</rdf:li></rdf:Alt></dc:description>"))
    found = Found({"description": "the file's", "camera": "X"})
    read_sidecars([tmp_path / "a.xmp"], found)
    assert (found.facts().description, found.facts().camera) == ("mine", "X")


@pytest.mark.parametrize(
    "content", ["", "<broken", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'], ids=["empty", "broken", "entities"]
)
def test_a_broken_or_hostile_sidecar_is_left_aside(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.xmp").write_text(content)
    found = Found({"title": "kept"})
    problems = read_sidecars([tmp_path / "a.xmp"], found).problems
    assert found.facts() == Facts(title="kept")
    assert [problem.reason for problem in problems] == (["bad-metadata"] if content else [])


def test_iptc_is_read(tmp_path: Path) -> None:
    def record(number: int, text: bytes) -> bytes:
        return b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text

    iptc = record(5, b"Barn") + record(120, b"A barn at dusk") + record(25, b"farm") + record(25, b"dusk")
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    block = b"Photoshop 3.0\0" + resource
    plain = encoded(halves(), "JPEG")
    data = plain[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + plain[2:]
    found = decode(data).facts
    assert (found.title, found.description, found.keywords) == ("Barn", "A barn at dusk", ("farm", "dusk"))
