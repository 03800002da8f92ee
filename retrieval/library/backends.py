"""The composition root: chooses the encoder, vision-language model, OCR engine and vector index.

No other module chooses concrete classes; each is imported when it is chosen.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .. import config
from ..config import Settings
from ..errors import naming
from ..runtime import extras

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..encoders import Encoder, EncoderBackend, LoadOptions
    from ..ocr import TextReader
    from ..storage.storage import OpenStore
    from ..types.records import Finding
    from ..vlm import VisionLanguageModel
    from ..vlm.messages import Part


FRAMES = 8  # frames of a video that a model is shown


def encoder_backends() -> tuple[EncoderBackend, ...]:
    """Return the kinds of encoders, in the order in which they are asked whether a name is theirs."""
    from ..encoders.builtin_backend import BuiltinBackend
    from ..encoders.colours import ColourBackend
    from ..encoders.openclip_backend import OpenClipBackend

    return (ColourBackend(), BuiltinBackend(), OpenClipBackend())


def encoder_backend(name: str) -> EncoderBackend:
    """Return the kind of encoder that a model name is of; an empty name is the built-in model's."""
    return next(backend for backend in encoder_backends() if backend.matches(name or "builtin"))


def encoder(settings: Settings, name: str) -> Encoder:
    """Return the encoder with this model name; calls of several threads are batched.

    Raises:
        ModelError: the model is unknown or damaged.
        ModelUnavailable: the model is not on this machine.
    """
    from ..encoders.batching import batched

    return batched(encoder_backend(name).load(name, load_options(settings)))


def load_options(settings: Settings) -> LoadOptions:
    """Return how the settings load a model."""
    from ..encoders import LoadOptions

    return LoadOptions(settings.device, settings.precision, config.cache_folder())


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
        from ..vlm.builtin_captioner import BuiltinCaptioner

        return BuiltinCaptioner.load()
    extras.require("torch", f"the model {settings.vlm}")
    from ..vlm.transformers import Transformers

    return Transformers.load(settings.vlm, settings.device, settings.precision, settings.vlm_family, settings.vlm_code)


def vlm_abilities(settings: Settings) -> frozenset[str] | None:
    """Return what the vision-language model of the settings can do; None if only the loaded model knows."""
    if settings.vlm != "builtin":
        return None
    from ..vlm.families import named

    return named("builtin").abilities


def picture(path: Path, settings: Settings, second: float | None = None) -> Image:
    """Return a picture file, or the frame of a video at `second`, as an upright RGB image.

    Raises:
        PictureError: the file cannot be used.
    """
    from .. import pictures

    with naming(path):
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
    with naming(path):
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
    extras.require("cpu", "the vector index")
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
