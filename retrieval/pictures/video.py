"""Frames of a video file: one of each scene, some at equal distances, or the one at a given time.

Knows containers and scene changes; does not know models. A frame that cannot be decoded is a `PictureError` with its
reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import PictureError
from ..runtime.daemon_pool import alive
from ..types.records import VIDEO_SUFFIXES, Reason

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

STEP = 0.5  # minimum seconds between two frames that are examined
CUT = 22.0  # mean difference of two small frames, in 255ths, above which a new scene begins
LONGEST = 20.0  # maximum seconds of a scene that one frame represents
MOST = 300  # maximum number of frames per video
OFTEN = 5.0  # maximum mean seconds between key frames for which only key frames are decoded
SMALL = (24, 24)

Small = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """One upright frame, with its time in seconds."""

    second: float
    image: Image.Image


def is_video(path: Path) -> bool:
    """Return whether the file's suffix is that of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def scenes(path: Path, least: int = 0) -> Iterator[Frame]:
    """Yield a sharp frame of each scene, at most `MOST` of them.

    The shorter side may be reduced to no less than twice the minimum asked for, in pixels. If there are enough key
    frames, only those are decoded. A long scene gives a frame every `LONGEST` seconds.

    Raises:
        PictureError: the file is broken, or has no frame that can be decoded.
    """
    with opened(path) as (container, stream):
        length = _length(container, stream)
        keys = 0
        for packet in container.demux(stream):
            keys += packet.is_keyframe
            alive()
    with opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        if keys * OFTEN >= length:
            stream.codec_context.skip_frame = "NONKEY"
        count = 0
        for frame in _scenes(_looked_at(container, stream, length), least, length):
            count += 1
            yield frame
    if not count:
        raise PictureError(Reason.TRUNCATED, "the video has no frame that can be decoded")


def frame_at(path: Path, second: float, least: int = 0) -> Image.Image:
    """Return the first frame at or after a time in seconds.

    Raises:
        PictureError: the file is broken, or ends before that time.
    """
    return _frame_from(path, second, least).image


def _frame_from(path: Path, second: float, least: int) -> Frame:
    with opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        assert stream.time_base is not None
        container.seek(int(second / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if frame.time is not None and frame.time >= second - 1e-3:
                return Frame(round(frame.time, 3), _image(frame, least))
    raise PictureError(Reason.TRUNCATED, f"the video has no frame at {second:.1f} seconds")


def evenly(path: Path, count: int, least: int = 0) -> list[Frame]:
    """Return `count` frames at equal distances, fewer for a short video.

    Raises:
        PictureError: the file is broken, or has no frame that can be decoded.
    """
    with opened(path) as (container, stream):
        length = _length(container, stream)
    frames: dict[float, Frame] = {}
    for number in range(count):
        try:
            frame = _frame_from(path, length * number / count, least)
        except PictureError:
            if not frames:
                raise
            break  # the container states a duration that is too long
        frames.setdefault(frame.second, frame)
    return list(frames.values())


def seconds(path: Path) -> float:
    """Return the duration in seconds; 0 if the file does not state it.

    Raises:
        PictureError: the file cannot be opened.
    """
    with opened(path) as (container, stream):
        return _length(container, stream)


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file, and yield its container with the first video stream.

    Raises:
        PictureError: it cannot be opened, or has no video.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise PictureError(Reason.NOT_A_PICTURE, "the file has no video stream")
            yield container, container.streams.video[0]
    except FileNotFoundError as exc:
        raise PictureError(Reason.VANISHED, "the file is no longer there") from exc
    except av.error.InvalidDataError as exc:
        raise PictureError(Reason.NOT_A_PICTURE, f"the file is not a video: {exc.strerror}") from exc
    except PictureError:
        raise
    except Exception as exc:  # broken bytes raise many kinds of errors, and streams without a decoder have no values
        raise PictureError(Reason.UNREADABLE, f"broken video: {exc}") from exc


def _length(container: InputContainer, stream: VideoStream) -> float:
    """Return the duration in seconds; 0 if the file does not state it."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1e6


def _looked_at(container: InputContainer, stream: VideoStream, length: float) -> Iterator[VideoFrame]:
    """Yield frames at least `STEP` seconds apart, farther in long videos, until one cannot be decoded."""
    from av.error import FFmpegError

    step, last = max(STEP, length / (8 * MOST)), -1e9
    try:
        for frame in container.decode(stream):
            alive()
            if frame.time is not None and frame.time - last >= step:
                last = frame.time
                yield frame
    except FFmpegError:
        return  # truncated file: the frames before are used


def _scenes(frames: Iterator[VideoFrame], least: int, length: float) -> Iterator[Frame]:
    longest, count = max(LONGEST, length / MOST), 0
    best: Frame | None = None
    before, began, sharpest = None, 0.0, -1.0
    for frame in frames:
        second = float(frame.time or 0.0)
        small = np.asarray(_picture(frame, *SMALL), np.float32)
        cut = before is None or float(np.abs(small - before).mean()) > CUT or second - began >= longest
        sharp = _sharpness(small)
        if cut and count < MOST:
            if best is not None:
                yield best
            best, began, sharpest, count = Frame(second, _image(frame, least)), second, sharp, count + 1
        elif sharp > 1.2 * sharpest:
            best, sharpest = Frame(second, _image(frame, least)), sharp
        before = small
    if best is not None:
        yield best


def _sharpness(small: Small) -> float:
    """Return how much neighbouring pixels differ; low for black, blurred and faded frames."""
    grey = small.mean(axis=2)
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def _image(frame: VideoFrame, least: int) -> Image.Image:
    """Return the frame upright, in RGB, reduced by a whole factor to no less than twice the minimum side."""
    factor = max(1, min(frame.width, frame.height) // (2 * least)) if least else 1
    image = _picture(frame, frame.width // factor, frame.height // factor)
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def _picture(frame: Any, width: int, height: int) -> Image.Image:
    found: Image.Image = frame.to_image(width=width, height=height)  # not annotated
    return found
