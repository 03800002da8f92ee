"""The composition root: chooses the encoder, vision-language model, OCR engine and vector index.

No other module chooses concrete classes; each is imported when it is chosen.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .. import config
from ..config import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..encoders import Encoder
    from ..ocr import TextReader
    from ..storage.storage import OpenStore
    from ..types.records import Finding
    from ..vlm import VisionLanguageModel
    from ..vlm.messages import Part


FRAMES = 8  # frames of a video that a model is shown


def encoder(settings: Settings, model: str) -> Encoder:
    """Return the encoder with this model name.

    Raises:
        ModelError: the model is unknown or damaged.
        ModelUnavailable: the model is not on this machine.
    """
    if model == "colours":
        from ..encoders.colours import ColourEncoder

        return ColourEncoder()
    from ..encoders import lazy

    return lazy.encoder(model, settings.device, settings.precision, config.cache_folder())


def require_encoder(model: str) -> None:
    """Check that an encoder is known and on this machine, without loading it; an empty name is the built-in model's.

    Raises:
        ModelError: the model is unknown.
        ModelUnavailable: the model is not on this machine.
    """
    if model not in ("", "colours", "builtin"):
        from ..encoders import checkpoints, model_name

        checkpoints.required(model_name.ModelName.parse(model))


def vlm(settings: Settings) -> VisionLanguageModel:
    """Return the vision-language model of the settings.

    Raises:
        ModelError: the model is unknown or damaged.
        ModelUnavailable: the model is not on this machine.
    """
    if settings.vlm == "colours":
        from ..vlm.colours import ColourVlm

        return ColourVlm()
    if settings.vlm.startswith("endpoint:"):
        from ..vlm.endpoint import Endpoint

        return Endpoint.load(settings.vlm, settings.vlm_family, settings.vlm_key, settings.vlm_timeout)
    if settings.vlm == "builtin":
        from ..vlm.cached_llava import CachedLlava

        return CachedLlava.load("builtin", settings.device, settings.precision)
    from ..vlm.transformers import Transformers

    return Transformers.load(settings.vlm, settings.device, settings.precision, settings.vlm_family, settings.vlm_code)


def picture(path: Path, settings: Settings, second: float | None = None) -> Image:
    """Return a picture file, or the frame of a video at `second`, as an upright RGB image.

    Raises:
        PictureError: the file cannot be used.
    """
    from .. import pictures

    return pictures.load(path, max_megapixels=settings.max_megapixels, second=second).image


def part(path: Path, settings: Settings, second: float | None = None) -> Part:
    """Return a file as a part of a message: a picture, or a video as `FRAMES` evenly spaced frames with their times.

    With `second`, only the frame of a video at that time.

    Raises:
        PictureError: the file cannot be used.
    """
    from ..pictures import video
    from ..vlm import IMAGE_SIZE
    from ..vlm.messages import ImagePart, VideoPart

    if second is not None or not video.is_video(path):
        return ImagePart(picture(path, settings, second))
    frames = video.evenly(path, FRAMES, IMAGE_SIZE)
    return VideoPart(tuple(frame.image for frame in frames), tuple(frame.second for frame in frames))


def text_reader() -> TextReader:
    """Return the OCR engine, which reads text in pictures.

    Raises:
        ModelUnavailable: its packages are not installed.
    """
    from ..ocr.rapid import Rapid

    return Rapid()


def vector_store(settings: Settings) -> OpenStore:
    """Return how the vectors of a library are opened."""
    from ..vectors.faiss import FaissStore

    return partial(FaissStore.open, settings)


def library_path(path: str | Path | None, settings: Settings) -> Path:
    """Return the path of the library: `path`, else that of the settings, else the default."""
    return Path(path) if path else settings.index or config.default_index()


def check(path: str | Path | None = None, settings: Settings | None = None, *, repair: bool = False) -> list[Finding]:
    """Return what is wrong with a library; with `repair`, fix what can be fixed (see `repair.check`)."""
    from ..storage.repair import check

    settings = settings or config.load()
    return check(library_path(path, settings), vector_store(settings), repair=repair)


def configure(**flags: object) -> Settings:
    """Return the settings from flags, the environment and the TOML file."""
    return config.load(None, **flags)
