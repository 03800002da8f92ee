"""Whether a film is the moving part of the photo beside it: by its kind, its length and the time of both."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from ..errors import PictureError
from ..types.records import RAW_SUFFIXES
from . import video
from .decode import open_picture
from .files import read_file
from .metadata.found import Found
from .metadata.timestamps import Rank, choose
from .video_metadata import read_video_metadata

LONGEST = 6.0  # seconds of the film of a live photo; phones write 1.5 to 3
APART = timedelta(seconds=15)  # between the times that phones write into the two
DAY = timedelta(hours=26)  # two clocks in different time zones differ by no more
ZONES = timedelta(minutes=15)  # time zones differ by multiples of this, and films may have another zone


def is_film_of(film: Path, picture: Path | None, max_megapixels: float) -> bool:
    """Return whether a film is only the moving part of a photo; where a time is unknown, its length decides.

    Raises:
        PictureError: the film cannot be opened.
    """
    if picture is None or film.suffix.lower() in RAW_SUFFIXES or not 0 < video.seconds(film) <= LONGEST:
        return False
    try:
        still = open_picture(read_file(picture)[0], picture.name, max_megapixels).found
    except PictureError:  # then the film answers for itself
        return False
    one, other = _taken(still), _taken(read_video_metadata(film))
    if one is None or other is None:
        return True
    return abs(one - other) <= DAY and min((one - other) % ZONES, (other - one) % ZONES) <= APART


def _taken(found: Found) -> datetime | None:
    """Return when the device took it, by its own clock; None if it does not say."""
    said = choose([moment for moment in found.moments if moment.rank <= Rank.DIGITIZED])
    return said.at.replace(tzinfo=None) if said else None
