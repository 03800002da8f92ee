"""The fields that people have, where their programs put them, each with the right value."""

from __future__ import annotations

import io
import json
import struct
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import piexif
import pytest
from PIL import Image, PngImagePlugin

from retrieval.pictures import decode, open_picture, read_sidecars
from retrieval.pictures.metadata import coordinates
from retrieval.pictures.metadata.found import Found
from retrieval.pictures.metadata.text_decoding import clean, user_comment
from retrieval.pictures.metadata.timestamps import Rank, in_file_name, read_moment
from retrieval.types.records import DatePrecision, Facts

from .. import dng

NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}


def packet(body: str = "", attributes: str = "") -> bytes:
    names = " ".join(f'xmlns:{prefix}="{address}"' for prefix, address in NAMESPACES.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f"{names}><rdf:Description {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def bag(name: str, *entries: str) -> str:
    return f"<{name}><rdf:Bag>{''.join(f'<rdf:li>{each}</rdf:li>' for each in entries)}</rdf:Bag></{name}>"


def jpeg(**options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 24), "red").save(out, "JPEG", **options)
    return out.getvalue()


def facts(data: bytes, name: str = "a.jpg") -> Facts:
    return decode(data, name).facts


def of_xmp(body: str = "", attributes: str = "") -> Facts:
    return facts(jpeg(xmp=packet(body, attributes)))


# --- dates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "precision"),
    [
        ("2019:05:06 10:11:12", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("2019-05-06 10:11:12", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("2019/05/06T10.11.12", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("2019-05-06T10:11:12.345Z", datetime(2019, 5, 6, 10, 11, 12, tzinfo=UTC), DatePrecision.SECOND),
        ("2019-05-06T10:11+02:00", datetime(2019, 5, 6, 10, 11, tzinfo=timezone(timedelta(hours=2))), "second"),
        ("20190506T101112", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("2019:05:06 10:11", datetime(2019, 5, 6, 10, 11), DatePrecision.SECOND),
        ("2019:05:06 24:00:00", datetime(2019, 5, 7), DatePrecision.SECOND),
        ("2019:05:06 10:11:60", datetime(2019, 5, 6, 10, 12), DatePrecision.SECOND),
        ("2019:05:06  9:11:12", datetime(2019, 5, 6, 9, 11, 12), DatePrecision.SECOND),
        ("2019: 5: 6 10:11:12", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("2019:5:6 1:2:3", datetime(2019, 5, 6, 1, 2, 3), DatePrecision.SECOND),
        ("2019:05:06 10:11:12 PM", datetime(2019, 5, 6, 22, 11, 12), DatePrecision.SECOND),
        ("2019:05:06 10:11:12 CEST", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("2019-05-06t10:11:12z", datetime(2019, 5, 6, 10, 11, 12, tzinfo=UTC), DatePrecision.SECOND),
        ("2019-05-06T10:11:12+02", datetime(2019, 5, 6, 10, 11, 12, tzinfo=timezone(timedelta(hours=2))), "second"),
        (
            "Mon, 06 May 2019 10:11:12 +0200",
            datetime(2019, 5, 6, 10, 11, 12, tzinfo=timezone(timedelta(hours=2))),
            "second",
        ),
        ("2019年05月06日 10:11:12", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("2019-5-6", datetime(2019, 5, 6), DatePrecision.DAY),
        ("2019:05:06", datetime(2019, 5, 6), DatePrecision.DAY),
        ("2019-05", datetime(2019, 5, 1), DatePrecision.MONTH),
        ("2019:05:00", datetime(2019, 5, 1), DatePrecision.MONTH),
        ("2019", datetime(2019, 1, 1), DatePrecision.YEAR),
        ("20190000", datetime(2019, 1, 1), DatePrecision.YEAR),
    ],
)
def test_dates_are_read_in_every_spelling(text: str, at: datetime, precision: str) -> None:
    moment = read_moment(text, Rank.ORIGINAL)
    assert moment is not None
    assert (moment.at, moment.precision) == (at, precision)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000:00:00 00:00:00",
        "0001-01-01T00:00:00Z",
        "1970:01:01 00:00:00",
        "1970-01-01T01:00:00",
        "1969:12:31 19:00:00",
        "1904-01-01T00:00:00Z",
        "1980:01:01 00:00:00",
        "1970:01:01",
        "2019:13:01 00:00:00",
        "2019:02:30 10:00:00",
        "2019:05:06 25:00:00",
        "9999:12:31 23:59:59",
        "    :  :     :  :  ",
        "yesterday",
    ],
)
def test_placeholders_and_nonsense_are_no_dates(text: str) -> None:
    assert read_moment(text, Rank.ORIGINAL) is None


@pytest.mark.parametrize(
    ("name", "at", "precision"),
    [
        ("IMG_20190506_101112.jpg", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("IMG_20190506_221112.jpg", datetime(2019, 5, 6, 22, 11, 12), DatePrecision.SECOND),
        ("WhatsApp Image 2019-05-06 at 9.11.12 PM.jpeg", datetime(2019, 5, 6, 21, 11, 12), DatePrecision.SECOND),
        ("20190506_101112.jpg", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("IMG-20190506-WA0001.jpg", datetime(2019, 5, 6), DatePrecision.DAY),
        ("Screenshot_2019-05-06-10-11-12.png", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("WhatsApp Image 2019-05-06 at 10.11.12.jpeg", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("signal-2019-05-06-101112.jpg", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("2019-05-06 10.11.12.jpg", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("Screen Shot 2019-05-06 at 10.11.12 PM.png", datetime(2019, 5, 6, 22, 11, 12), DatePrecision.SECOND),
        ("2019-05-06T10-11-12.jpg", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("photo_5@06-05-2019_10-11-12.jpg", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
        ("VID_20190506_101112.mp4", datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND),
    ],
)
def test_the_names_of_phones_and_messengers_hold_dates(name: str, at: datetime, precision: DatePrecision) -> None:
    moment = in_file_name(name)
    assert moment is not None
    assert (moment.at, moment.precision) == (at, precision)


@pytest.mark.parametrize(
    "name", ["DSC01234.jpg", "1001773457_577c3a7d70.jpg", "a20190506.jpg", "20191399.jpg", "IMG_19700101_000000.jpg"]
)
def test_other_names_hold_none(name: str) -> None:
    assert in_file_name(name) is None


def test_the_name_is_the_last_resort_and_marked() -> None:
    named, dated = facts(jpeg(), "IMG_20190506_101112.jpg"), jpeg(exif=exif_at("2020:01:02 03:04:05"))
    assert (named.taken_at, named.date_from_name) == (datetime(2019, 5, 6, 10, 11, 12), True)
    other = facts(dated, "IMG_20190506_101112.jpg")
    assert (other.taken_at, other.date_from_name) == (datetime(2020, 1, 2, 3, 4, 5), False)


def exif_at(text: str) -> bytes:
    found: bytes = piexif.dump({"Exif": {piexif.ExifIFD.DateTimeOriginal: text.encode()}})
    return found


def test_a_month_is_kept_as_such_and_a_more_exact_date_inside_it_is_preferred() -> None:
    month = of_xmp(attributes='photoshop:DateCreated="2019-05"')
    assert (month.taken_at, month.date_precision) == (datetime(2019, 5, 1), DatePrecision.MONTH)
    assert month.taken_to == datetime(2019, 5, 31, 23, 59, 59)
    both = facts(jpeg(xmp=packet("", 'photoshop:DateCreated="2019-05"'), exif=exif_at("2019:05:06 10:11:12")))
    assert (both.taken_at, both.date_precision) == (datetime(2019, 5, 6, 10, 11, 12), DatePrecision.SECOND)
    scan = facts(jpeg(xmp=packet("", 'photoshop:DateCreated="1985"'), exif=exif_at("2019:05:06 10:11:12")))
    assert scan.taken_at == datetime(1985, 1, 1), "a date that contradicts is the scanner's"


@pytest.mark.parametrize("attribute", ["xmp:CreateDate", "exif:DateTimeOriginal", "photoshop:DateCreated"])
def test_dates_of_xmp_are_read(attribute: str) -> None:
    assert of_xmp(attributes=f'{attribute}="2019-05-06T10:11:12"').taken_at == datetime(2019, 5, 6, 10, 11, 12)


# --- places -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("48,8.22N", 48.137),
        ("48,8,13.2N", 48.137),
        ("48.137", 48.137),
        ("-48.137", -48.137),
        ("48.137 S", -48.137),
        ("S 48.137", -48.137),
        ("48 deg 8' 13.20\" N", 48.137),
        ("48° 8′ 13.2″ West", -48.137),
        ("48/1,8/1,132/10N", 48.137),
        ("48,137", 48.137),
        ("48,137N", 48.137),
        ("4.8137e1", 48.137),
        ("48,60.0N", 49.0),
        ("48,75N", None),
        ("north", None),
        ("", None),
        ("1,2,3,4", None),
    ],
)
def test_coordinates_are_read_in_every_spelling(text: str, degrees: float | None) -> None:
    assert coordinates.from_text(text) == (None if degrees is None else pytest.approx(degrees, abs=1e-6))


@pytest.mark.parametrize(
    ("pair", "place"),
    [
        ((48.137, 11.575), (48.137, 11.575)),
        ((0.0, 0.0), (None, None)),
        ((0.0, 11.5), (0.0, 11.5)),
        ((48.0, None), (None, None)),
        ((999.0, 999.0), (None, None)),
        ((float("nan"), 1.0), (None, None)),
        ((91.0, 1.0), (None, None)),
    ],
)
def test_what_cannot_be_a_place_is_none(
    pair: tuple[float | None, float | None], place: tuple[float | None, float | None]
) -> None:
    assert coordinates.place(*pair) == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("+48.1371+011.5754/", (48.1371, 11.5754)),
        ("-33.86+151.21+010.5CRSWGS_84/", (-33.86, 151.21)),
        ("+4808.22+01134.52/", (48.137, 11.575333)),
        ("+480813.2+0113430/", (48.137, 11.575)),
    ],
)
def test_places_of_films_are_read(text: str, place: tuple[float, float]) -> None:
    assert coordinates.from_iso_6709(text) == pytest.approx(place, abs=1e-5)


def test_decimal_degrees_in_exif_are_read() -> None:
    gps = {
        piexif.GPSIFD.GPSLatitude: ((48137, 1000), (0, 1), (0, 1)),
        piexif.GPSIFD.GPSLatitudeRef: b"S",
        piexif.GPSIFD.GPSLongitude: ((11575, 1000), (0, 1), (0, 1)),
        piexif.GPSIFD.GPSLongitudeRef: b"E",
    }
    found = facts(jpeg(exif=piexif.dump({"GPS": gps})))
    assert (found.latitude, found.longitude) == (-48.137, 11.575)


# --- texts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_texts_of_exif_are_never_garbled(encoding: str) -> None:
    exif = piexif.dump({"0th": {piexif.ImageIFD.ImageDescription: "Größe Zürich".encode(encoding)}})
    assert facts(jpeg(exif=exif)).description == "Größe Zürich"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"ASCII\0\0\0at home\0\0", "at home"),
        (b"UNICODE\0" + "Größe 写".encode("utf-16-le"), "Größe 写"),
        (b"UNICODE\0" + "Größe 写".encode("utf-16-be"), "Größe 写"),
        (b"UNICODE\0" + "Größe".encode("utf-16"), "Größe"),
        (b"JIS\0\0\0\0\0" + "写真".encode("iso2022_jp"), "写真"),
        (b"\0" * 8 + "Zürich".encode(), "Zürich"),
        (b"no prefix", "no prefix"),
        (b"ASCII\0\0\0" + b"\0" * 50, ""),
    ],
)
def test_the_users_comment_says_its_encoding(data: bytes, text: str) -> None:
    assert user_comment(data, big_endian=True) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Ein schöner Tag in Größ".encode()[:-1], "Ein schöner Tag in Grö"),
        ("un café".encode("latin-1"), "un café"),
        ("собака на пляже".encode("cp1251") + b"\0\0\0", "собака на пляже"),
        ("\ufeffZürich".encode(), "Zürich"),
    ],
)
def test_texts_that_are_cut_or_padded_are_read(data: bytes, text: str) -> None:
    assert clean(data) == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_sidecars_in_every_encoding_of_xml_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.xmp").write_bytes((packet("", 'xmp:Rating="5"').decode() + "\n").encode(encoding))
    assert sidecar_facts(tmp_path / "a.xmp").rating == 5


def test_microsofts_fields_as_exiftool_writes_them_are_read() -> None:
    text = packet(bag("MicrosoftPhoto:LastKeywordXMP", "A/B"), 'MicrosoftPhoto:Rating="99"').decode()
    found = facts(jpeg(xmp=text.replace("photo/1.0/", "photo/1.0").encode()))
    assert (found.keywords, found.rating) == (("B", "A"), 5)


def test_the_xmp_of_a_gif_is_read() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "GIF")
    block = b"\x21\xff\x0bXMP DataXMP" + packet("", 'xmp:Rating="4"') + b"\x01" + bytes(range(255, -1, -1)) + b"\0\0"
    data = out.getvalue()
    assert facts(data[:-1] + block + data[-1:], "a.gif").rating == 4


def test_control_characters_and_halves_of_characters_are_not_stored() -> None:
    assert clean("a\x1b[31mb\x00\ud83dc") == "a [31mb ?c"


def test_windows_fields_are_read() -> None:
    exif = piexif.dump(
        {
            "0th": {
                piexif.ImageIFD.XPTitle: "Titel".encode("utf-16-le"),
                piexif.ImageIFD.XPComment: "ein Wort\0".encode("utf-16-le"),
                piexif.ImageIFD.XPKeywords: "Fest; Hund\0".encode("utf-16-le"),
            }
        }
    )
    found = facts(jpeg(exif=exif))
    assert (found.title, found.comments, found.keywords) == ("Titel", ("ein Wort",), ("Fest", "Hund"))


def test_comments_of_jpeg_and_texts_of_png_are_read() -> None:
    info, out = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, text in (("Title", "Titel"), ("Description", "Größe"), ("Comment", "am See"), ("Software", "x")):
        info.add_itxt(key, text)
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    png = facts(out.getvalue(), "a.png")
    assert (png.title, png.description, png.comments) == ("Titel", "Größe", ("am See",))
    assert facts(jpeg(comment="am See")).texts == ("am See",)
    assert facts(jpeg(comment="CREATOR: gd-jpeg v1.0")).texts == ()


def iptc(*records: tuple[int, int, bytes]) -> bytes:
    block = b"".join(
        b"\x1c" + bytes([record, number]) + struct.pack(">H", len(text)) + text for record, number, text in records
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + b"\0" * (len(block) % 2)
    segment = b"Photoshop 3.0\0" + resource
    plain = jpeg()
    return plain[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [(b"\x1b%G", "utf-8"), (b"", "utf-8"), (b"", "latin-1")],
    ids=["declared", "utf-8", "latin"],
)
def test_iptc_is_read_with_and_without_a_declared_charset(declared: bytes, encoding: str) -> None:
    marks = [(1, 90, declared)] if declared else []
    found = facts(
        iptc(
            *marks,
            (2, 120, "Größe".encode(encoding)),
            (2, 55, b"20190506"),
            (2, 60, b"101112+0200"),
            (2, 90, "Zürich".encode(encoding)),
            (2, 101, b"Schweiz"),
        )
    )
    assert (found.description, found.place) == ("Größe", ("Zürich", "", "Schweiz"))
    assert found.taken_at == datetime(2019, 5, 6, 10, 11, 12, tzinfo=timezone(timedelta(hours=2)))


def test_the_default_language_comes_first() -> None:
    body = (
        "<dc:description><rdf:Alt><rdf:li xml:lang='de'>Scheune</rdf:li>"
        "<rdf:li xml:lang='x-default'>barn</rdf:li></rdf:Alt></dc:description>"
    )
    assert of_xmp(body).description == "barn"


# --- keywords, people, places in words ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "keywords"),
    [
        (bag("lr:hierarchicalSubject", "Animals|Dog|Rex"), ("Rex", "Dog", "Animals")),
        (bag("digiKam:TagsList", "Orte/Köln"), ("Köln", "Orte")),
        (bag("MicrosoftPhoto:LastKeywordXMP", "Fest"), ("Fest",)),
        (bag("dc:subject", "a", "b") + bag("digiKam:TagsList", "x/a"), ("a", "b", "x")),
    ],
)
def test_keywords_are_read_wherever_programs_put_them(body: str, keywords: tuple[str, ...]) -> None:
    assert of_xmp(body).keywords == keywords


@pytest.mark.parametrize(
    "body",
    [
        bag("Iptc4xmpExt:PersonInImage", "Anna"),
        '<mwg-rs:Regions><rdf:li><rdf:Description mwg-rs:Name="Anna" mwg-rs:Type="Face"/></rdf:li></mwg-rs:Regions>',
        "<mwg-rs:Regions><rdf:li><mwg-rs:Name>Anna</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type></rdf:li></mwg-rs:Regions>",
        '<rdf:li MPReg:PersonDisplayName="Anna"/>',
    ],
)
def test_people_are_read_and_are_keywords_too(body: str) -> None:
    found = of_xmp(body)
    assert (found.people, found.keywords) == (("Anna",), ("Anna",))


def test_a_region_that_is_no_face_is_nobody() -> None:
    assert of_xmp('<rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet"/></rdf:li>').people == ()


@pytest.mark.parametrize(
    "body",
    [
        "<photoshop:City>Köln</photoshop:City><photoshop:Country>Deutschland</photoshop:Country>",
        "<Iptc4xmpExt:LocationCreated><rdf:Bag><rdf:li><Iptc4xmpExt:City>Köln</Iptc4xmpExt:City>"
        "<Iptc4xmpExt:CountryName>Deutschland</Iptc4xmpExt:CountryName></rdf:li></rdf:Bag></Iptc4xmpExt:LocationCreated>",
    ],
)
def test_places_in_words_are_read(body: str) -> None:
    assert of_xmp(body).place == ("Köln", "", "Deutschland")


@pytest.mark.parametrize(
    ("attributes", "rating"),
    [('xmp:Rating="5"', 5), ('xmp:Rating="-1"', -1), ('MicrosoftPhoto:Rating="75"', 4), ('xmp:Rating="RR"', None)],
)
def test_ratings_are_read(attributes: str, rating: int | None) -> None:
    assert of_xmp(attributes=attributes).rating == rating


@pytest.mark.parametrize("value", ["inf", "1e999", "nan", "99", "", "RR"])
def test_a_value_out_of_range_is_none(value: str) -> None:
    found = of_xmp(attributes=f'xmp:Rating="{value}" exif:GPSLatitude="{value}" exif:ISOSpeedRatings="{value}0000000"')
    assert (found.rating, found.latitude, found.iso) == (None, None, None)


def test_exposure_is_read() -> None:
    exif = piexif.dump(
        {
            "Exif": {
                piexif.ExifIFD.ISOSpeedRatings: 1600,
                piexif.ExifIFD.FNumber: (18, 10),
                piexif.ExifIFD.FocalLength: (50, 1),
                piexif.ExifIFD.ExposureTime: (1, 250),
            }
        }
    )
    found = facts(jpeg(exif=exif))
    assert (found.iso, found.aperture, found.focal_length, found.exposure) == (1600, 1.8, 50.0, 0.004)


# --- sidecars -----------------------------------------------------------------------------------------------------


def sidecar_facts(*places: Path) -> Facts:
    found = Found()
    assert read_sidecars(places, found).problems == ()
    return found.facts()


def test_takeouts_json_is_read(tmp_path: Path) -> None:
    document = {
        "title": "a.jpg",
        "description": "zebra party",
        "photoTakenTime": {"timestamp": "1557136800"},
        "geoData": {"latitude": 0.0, "longitude": 0.0},
        "geoDataExif": {"latitude": 48.137, "longitude": 11.575},
        "people": [{"name": "Anna"}],
        "favorited": True,
    }
    (tmp_path / "a.jpg.json").write_text(json.dumps(document))
    found = sidecar_facts(tmp_path / "a.jpg.json")
    assert found.taken_at is not None
    assert found.taken_at.astimezone(UTC) == datetime(2019, 5, 6, 10, 0, tzinfo=UTC)
    assert (found.latitude, found.longitude, found.description) == (48.137, 11.575, "zebra party")
    assert (found.people, found.keywords) == (("Anna",), ("favourite", "Anna"))


@pytest.mark.parametrize(
    ("in_file", "year"), [("2019:05:06 09:00:00", 2019), ("2003:01:01 12:00:00", 2019)], ids=["near", "corrected"]
)
def test_takeouts_date_replaces_one_that_was_wrong(in_file: str, year: int, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"photoTakenTime": {"timestamp": "1557136800"}}')
    found = open_picture(jpeg(exif=exif_at(in_file))).found
    read_sidecars([tmp_path / "a.json"], found)
    taken = found.facts().taken_at
    assert taken is not None
    assert taken.year == year
    if in_file.startswith("2019"):
        assert taken == datetime(2019, 5, 6, 9), "the camera's own clock stays where it agrees"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.xmp", b"<?xml version='1.0' encoding='utf8mb4'?><a/>", "bad-metadata"),
        ("a.xmp", b"<broken", "bad-metadata"),
        ("a.xmp", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "bad-metadata"),
        ("a.xmp", b"<a>" * 20_000, "bad-metadata"),
        ("a.json", b"{", "bad-metadata"),
        ("a.json", b"[" * 100_000, "bad-metadata"),
        ("a.json", b'{"photoTakenTime": {"timestamp": "1e400"}, "geoData": {"latitude": "x"}}', ""),
        ("a.json", b'{"images": []}', ""),
        ("a.xmp", b"", ""),
        ("a.txt", "Größe".encode("utf-16"), ""),
    ],
)
def test_a_sidecar_that_cannot_be_used_costs_only_itself(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "b.txt").write_text("a zebra")
    found = Found({"title": "kept"})
    said = read_sidecars([tmp_path / name, tmp_path / "b.txt"], found)
    assert [problem.reason for problem in said.problems] == ([reason] if reason else [])
    assert all(problem.path == tmp_path / name for problem in said.problems)
    assert said.text == ("Größe" if name == "a.txt" else "a zebra")
    assert found.facts().title == "kept"


# --- RAW and other containers -------------------------------------------------------------------------------------


def test_a_raw_file_without_a_date_has_none_and_its_own_header_counts_more_than_its_preview() -> None:
    preview = io.BytesIO()
    Image.new("RGB", (1200, 800), "red").save(preview, "JPEG", exif=exif_at("2001:01:01 10:00:00"))
    assert facts(dng.make((200, 40, 40), (1200, 800)), "a.dng").taken_at is None
    found = facts(dng.make((200, 40, 40), (1200, 800), preview.getvalue()), "a.dng")
    assert (found.format, found.camera, found.width, found.height) == ("RAW", "Test Box", 1200, 800)


def test_jpeg_xl_is_a_picture_like_others() -> None:
    open_picture(jpeg())  # registers the plugin
    out = io.BytesIO()
    Image.new("RGB", (60, 40), "red").save(out, "JXL", exif=exif_at("2019:05:06 10:11:12"))
    found = decode(out.getvalue(), "a.jxl")
    assert found.image.size == (60, 40)
    assert (found.facts.format, found.facts.taken_at) == ("JXL", datetime(2019, 5, 6, 10, 11, 12))


def psd(resources: dict[int, bytes]) -> bytes:
    """A red PSD of 16 x 8 pixels, with these image resources."""
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 8, 16, 8, 3)
    blocks = b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)
        for number, data in resources.items()
    )
    pixels = b"\xff" * 128 + b"\0" * 256
    return header + struct.pack(">II", 0, len(blocks)) + blocks + struct.pack(">IH", 0, 0) + pixels


def test_a_psd_is_its_composite_with_its_metadata() -> None:
    keywords = b"\x1c\x02\x19\x00\x05zebra"
    found = decode(psd({1028: keywords, 1060: packet("", 'xmp:Rating="4"')}), "a.psd")
    assert found.image.getpixel((3, 3)) == (255, 0, 0)
    assert (found.facts.format, found.facts.rating, found.facts.keywords) == ("PSD", 4, ("zebra",))
