"""Any model that open_clip can load, the built-in one among them, as an `Encoder`.

Knows open_clip and torch; does not know files of pictures, stores or indexes.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .. import devices
from ..errors import ModelError, ModelUnavailable
from ..records import Pixels, Space, Vectors
from . import checkpoints, grids
from .inference import ready
from .names import BUILTIN, ModelName, Route

if TYPE_CHECKING:
    from PIL.Image import Image

MEASURED_FROM = 16  # a first batch of at least this many pictures is used to choose the precision
PIECE = 8  # pictures at a time on a CPU: what is in flight stays in its cache, 1.7 times faster than 32
WHOLE = 64 << 20  # checkpoints up to this many bytes are hashed whole, larger ones at both ends


@dataclass
class OpenClip:
    """A loaded open_clip model. `precision` None: chosen by measuring on the first large batch."""

    space: Space
    model: Any
    preprocess: Callable[[Image], Tensor]
    tokenizer: Callable[[list[str]], Tensor]
    device: torch.device
    precision: torch.dtype | None
    least: int
    found: Path  # its checkpoint: a file or a folder
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def load(cls, spelling: str, device: str = "auto", precision: str = "auto") -> OpenClip:
        """Load a model by its spelling (see `names.py`); nothing is downloaded.

        Raises:
            ModelError: an unknown name, or a checkpoint that does not fit its architecture.
            ModelUnavailable: the model is not on this machine.
        """
        name = ModelName.parse(spelling)
        place = devices.choose_device(device)
        kind = devices.choose_precision(precision, place)
        found = checkpoints.required(name)
        try:
            model, preprocess, tokenizer = _create(name, found)
        except ModelError:
            raise
        except Exception as exc:
            # open_clip raises RuntimeError, ValueError, KeyError, OSError ... for broken or misfitting files.
            raise _load_error(name, exc) from exc
        model = model.to(place).eval().requires_grad_(False)
        config = model.visual.preprocess_cfg
        height, width = config["size"] if isinstance(config["size"], (tuple, list)) else [int(config["size"])] * 2
        model.visual = ready(model.visual, torch.rand(1, 3, height, width, device=place))
        model = model.to(kind or torch.float32)
        space = Space(name.spelling, _dimensions(model, tokenizer, place), _fingerprint(found, config))
        return cls(space, model, preprocess, tokenizer, place, kind, max(height, width), found)

    def prepare(self, image: Image) -> Pixels:
        """The model's own resizing, cropping and normalisation: (3, height, width) float32."""
        return self.preprocess(image).numpy()

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """n prepared pictures -> (n, dimensions) unit rows."""
        if not len(batch):
            return np.empty((0, self.space.dimensions), np.float32)
        pixels = torch.from_numpy(np.stack(batch)).to(self.device)
        with self._lock:
            if self.precision is None and len(batch) >= MEASURED_FROM:
                self._choose_precision(pixels)
        return _unit(self._encode_images(self.model, pixels))

    def grid(self, image: Image) -> Vectors:
        """See `Grids.grid`; the whole picture is seen, squeezed where the model wants another shape."""
        pixels = torch.from_numpy(self.prepare(image.resize((self.least, self.least)))[None]).to(self.device)
        tower = self.model.visual
        return _unit(grids.cells(tower, pixels.to(next(tower.parameters()).dtype), self.space.model))

    def texts(self, batch: Sequence[str]) -> Vectors:
        """n texts -> (n, dimensions) unit rows; what is longer than the model reads is cut off."""
        if not len(batch):
            return np.empty((0, self.space.dimensions), np.float32)
        tokens = self.tokenizer(list(batch)).to(self.device)
        with torch.inference_mode():
            return _unit(self.model.encode_text(tokens, normalize=True))

    def _encode_images(self, model: Any, pixels: Tensor) -> Tensor:
        kind = next(model.parameters()).dtype
        pieces = torch.split(pixels, PIECE) if self.device.type == "cpu" else (pixels,)
        with torch.inference_mode():
            rows = [
                model.encode_image(piece.to(kind, memory_format=torch.channels_last), normalize=True)
                for piece in pieces
            ]
            return torch.cat(rows)

    def _choose_precision(self, pixels: Tensor) -> None:
        fast = copy.deepcopy(self.model).to(torch.bfloat16)
        better = devices.measure(
            lambda: self._encode_images(self.model, pixels), lambda: self._encode_images(fast, pixels)
        )
        self.precision = torch.bfloat16 if better else torch.float32
        self.model = fast if better else self.model


def _create(name: ModelName, found: Path) -> tuple[Any, Callable[[Image], Tensor], Callable[[list[str]], Tensor]]:
    import open_clip

    logging.getLogger().setLevel(max(logging.getLogger().level, logging.WARNING))
    if name.route in (Route.HUB, Route.FOLDER):
        source = f"local-dir:{found}"
        model, _, preprocess = open_clip.create_model_and_transforms(source, require_pretrained=True)
        return model, preprocess, open_clip.get_tokenizer(source, **_own_vocabulary(found))
    if name.architecture not in open_clip.list_models():
        raise ModelError(f"open_clip knows no architecture {name.architecture!r}; see `retrieval models --all`")
    config = open_clip.get_pretrained_cfg(name.architecture, name.tag) if name.route is Route.TAG else {}
    model, _, preprocess = open_clip.create_model_and_transforms(
        name.architecture,
        pretrained=str(found),
        require_pretrained=True,
        force_quick_gelu=bool(config.get("quick_gelu", False)),
        image_mean=config.get("mean"),
        image_std=config.get("std"),
        image_interpolation=config.get("interpolation"),
        image_resize_mode=config.get("resize_mode"),
    )
    return model, preprocess, open_clip.get_tokenizer(name.architecture)


def _own_vocabulary(folder: Path) -> dict[str, str]:
    """A vocabulary file that the folder brings; open_clip would look for it in the working directory."""
    text = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
    file = text.get("tokenizer_kwargs", {}).get("bpe_path", "")
    return {"bpe_path": str(folder / file)} if file and (folder / file).is_file() else {}


def _load_error(name: ModelName, cause: Exception) -> ModelError:
    text = " ".join(str(cause).split())[:300]
    offline = any(word in text.lower() for word in ("connection", "offline", "hub", "resolve", "internet"))
    if offline and name.route is not Route.FOLDER:
        return ModelUnavailable(f"{name.spelling} needs another file of the hub, which cannot be reached: {text}")
    return ModelError(f"cannot load the model {name.spelling}: {text}")


def _dimensions(model: Any, tokenizer: Callable[[list[str]], Tensor], device: torch.device) -> int:
    with torch.inference_mode():
        return int(model.encode_text(tokenizer(["a"]).to(device)).shape[-1])


def _unit(rows: Tensor) -> Vectors:
    """Rows of any precision -> float32 rows of length one (a normalisation in bfloat16 is off by 0.4%)."""
    whole = torch.nn.functional.normalize(rows.float(), dim=-1)
    found: Vectors = whole.cpu().numpy()
    return found


def _fingerprint(found: Path, preprocess: dict[str, Any]) -> str:
    """A hash of weights and preprocessing; for large checkpoints of their size and both ends."""
    digest = hashlib.blake2b(json.dumps(preprocess, sort_keys=True, default=str).encode(), digest_size=8)
    files = [found] if found.is_file() else sorted(p for p in found.iterdir() if p.suffix != ".md" and p.is_file())
    for file in files:
        if file.name.startswith("__") or file.suffix == ".py":
            continue
        size = file.stat().st_size
        digest.update(str(size).encode())
        with file.open("rb") as stream:
            digest.update(stream.read(WHOLE if size <= WHOLE else WHOLE // 8))
            if size > WHOLE:
                stream.seek(-WHOLE // 8, 2)
                digest.update(stream.read())
    return digest.hexdigest()


__all__ = ["BUILTIN", "OpenClip"]
