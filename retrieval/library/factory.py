"""The composition root: settings -> encoder, vision-language model, vector engine.

The only chooser of concrete classes; each is imported when it is chosen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import config
from ..config import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..encoders import Encoder
    from ..ocr import TextReader
    from ..types.records import Finding
    from ..vectors import VectorIndex
    from ..vlm import VisionLanguageModel
    from ..vlm.messages import Part


FRAMES = 8  # of a video that is asked about


def encoder(settings: Settings, model: str) -> Encoder:
    """The encoder of a model's spelling.

    Raises:
        ModelError: unknown or broken; ModelUnavailable: not on this machine.
    """
    if model == "colours":
        from ..encoders.colours import Colours

        return Colours()
    from ..encoders import lazy

    return lazy.encoder(model, settings.device, settings.precision, config.cache_folder())


def vlm(settings: Settings) -> VisionLanguageModel:
    """The vision-language model of the settings.

    Raises:
        ModelError: unknown or broken; ModelUnavailable: not on this machine.
    """
    if settings.vlm == "colours":
        from ..vlm.colours import Colours

        return Colours()
    if settings.vlm.startswith("endpoint:"):
        from ..vlm.endpoint import Endpoint

        return Endpoint.load(settings.vlm, settings.vlm_family, settings.vlm_key, settings.vlm_timeout)
    if settings.vlm == "builtin":
        from ..vlm.cached_llava import KeepsLooks

        return KeepsLooks.load("builtin", settings.device, settings.precision)
    from ..vlm.transformers import Transformers

    return Transformers.load(settings.vlm, settings.device, settings.precision, settings.vlm_family, settings.vlm_code)


def picture(path: Path, settings: Settings, second: float | None = None) -> Image:
    """A picture file, or the frame of a video at a second; upright and in RGB.

    Raises:
        PictureError: it cannot be used.
    """
    from .. import pictures

    return pictures.load(path, max_megapixels=settings.max_megapixels, second=second).image


def part(path: Path, settings: Settings, second: float | None = None) -> Part:
    """A file as a part of a message: a picture, or a video as `FRAMES` frames at even distances, with their times.

    With `second`, of a video only the frame that is shown then.

    Raises:
        PictureError: it cannot be used.
    """
    from ..pictures import video
    from ..vlm import SEEN
    from ..vlm.messages import ImagePart, VideoPart

    if second is not None or not video.is_video(path):
        return ImagePart(picture(path, settings, second))
    frames = video.evenly(path, FRAMES, SEEN)
    return VideoPart(tuple(frame.image for frame in frames), tuple(frame.second for frame in frames))


def text_reader() -> TextReader:
    """What reads text in pictures.

    Raises:
        ModelUnavailable: its packages are not installed.
    """
    from ..ocr.rapid import Rapid

    return Rapid()


def vector_engine() -> type[VectorIndex]:
    """The vector index that libraries use."""
    from ..vectors.faiss import Faiss

    return Faiss


def place(path: str | Path | None, settings: Settings) -> Path:
    """Where the library is: the path, else the settings', else the default."""
    return Path(path) if path else settings.index or config.default_index()


def check(path: str | Path | None = None, settings: Settings | None = None, *, repair: bool = False) -> list[Finding]:
    """Whether a library agrees with itself; with `repair`, mended where possible (see `repair.check`)."""
    from ..storage.repair import check

    return check(place(path, settings or config.load()), vector_engine(), repair=repair)


def configure(**flags: object) -> Settings:
    """Settings from flags, the environment and the TOML file."""
    return config.load(None, **flags)
