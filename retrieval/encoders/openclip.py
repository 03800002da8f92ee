"""Any model that open_clip can load, as an `Encoder`.

Knows open_clip and torch; does not know picture files, storage or indexes.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode
from torchvision import transforms

from ..errors import ModelError, ModelUnavailable
from ..runtime import devices
from ..types.records import Pixels, Space, Vectors
from . import checkpoints, patch_features
from .autotune import Tuning, TuningTable
from .fold_batchnorm import prepare_for_inference
from .model_name import ModelName, WeightSource

if TYPE_CHECKING:
    from PIL.Image import Image

MEASURED_FROM = 16  # pictures; the first batch of at least this size decides how the model runs
# Ways to run on a CPU: pictures per call, and whether each core works on its own chunk. Convolutions fit the cache with
# few pictures, transformers are faster with more. Cores that work on the same chunk wait for each other in every layer;
# cores with a chunk each share the cache.
WAYS = ((4, False), (16, False), (4, True), (16, True))
CORES = os.cpu_count() or 1
THREADS = torch.get_num_threads()
WHOLE = 64 << 20  # bytes; smaller checkpoint files are hashed completely, larger ones only at both ends


@dataclass
class OpenClip:
    """A loaded open_clip model.

    With `precision` None, a measurement on the first large batch chooses the precision. On a CPU, a batch is split into
    chunks: all cores work on the same chunk or each core on its own, whichever is faster.
    """

    space: Space
    model: Any
    preprocess: Preprocessing
    tokenizer: Callable[[list[str]], Tensor]
    device: torch.device
    precision: torch.dtype | None
    image_size: int
    path: Path  # its checkpoint: a file or a folder
    speeds: TuningTable = field(default_factory=TuningTable)
    piece: int = WAYS[0][0]  # pictures per call on a CPU
    apart: bool = False  # whether each core works on its own chunk
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _cores: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(CORES, "encode", _alone))

    @classmethod
    def load(
        cls, spelling: str, device: str = "auto", precision: str = "auto", speeds: TuningTable | None = None
    ) -> OpenClip:
        """Load a model by its name (see `model_name.py`); nothing is downloaded.

        Raises:
            ModelError: the name is unknown, or the checkpoint does not fit its architecture.
            ModelUnavailable: the model is not on this machine.
        """
        name = ModelName.parse(spelling)
        place = devices.choose_device(device)
        kind = devices.choose_precision(precision, place)
        path = checkpoints.required(name)
        try:
            with UninitialisedWeights():
                model, preprocess, tokenizer = _create(name, path)
        except ModelError:
            raise
        except Exception as exc:
            # open_clip raises RuntimeError, ValueError, KeyError, OSError ... for files that are broken or do not fit.
            raise _load_error(name, exc) from exc
        model = model.to(place).eval().requires_grad_(False)
        config = model.visual.preprocess_cfg
        height, width = config["size"] if isinstance(config["size"], (tuple, list)) else [int(config["size"])] * 2
        model.visual = prepare_for_inference(model.visual, torch.rand(1, 3, height, width, device=place))
        model = model.to(kind or torch.float32)
        space = Space(name.spelling, _dimensions(model, tokenizer, place), _fingerprint(path, config))
        prepared = Preprocessing.of(preprocess)
        loaded = cls(space, model, prepared, tokenizer, place, kind, max(height, width), path, speeds or TuningTable())
        known = loaded.speeds.known(space.fingerprint)
        if known is not None and kind is None:
            loaded._run_as(known)
        return loaded

    def prepare(self, image: Image) -> Pixels:
        """Resize and crop a picture as the model expects: (height, width, 3) uint8, normalised later per batch."""
        return self.preprocess.cut(image)

    def images(self, batch: Sequence[Pixels]) -> Vectors:
        """Return the embeddings of n prepared pictures: (n, dimensions) float32 unit rows."""
        if not len(batch):
            return np.empty((0, self.space.dimensions), np.float32)
        pixels = torch.from_numpy(np.stack(batch))
        with self._lock:
            if self.precision is None and len(batch) >= MEASURED_FROM:
                self._measure(pixels[:MEASURED_FROM])
        found: Vectors = self._encode_images(pixels).cpu().numpy()
        return found

    def patch_features(self, image: Image) -> Vectors:
        """Return patch features of the whole picture, squeezed to a square: (rows, columns, dimensions) unit rows."""
        pixels = torch.from_numpy(np.stack([self.prepare(image.resize((self.image_size, self.image_size)))]))
        return _unit(patch_features.cells(self.model.visual, self._normal(pixels), self.space.model))

    def texts(self, batch: Sequence[str]) -> Vectors:
        """Return the embeddings of n texts: (n, dimensions) float32 unit rows; long texts are truncated."""
        if not len(batch):
            return np.empty((0, self.space.dimensions), np.float32)
        tokens = self.tokenizer(list(batch)).to(self.device)
        with torch.inference_mode():
            return _unit(self.model.encode_text(tokens, normalize=True))

    def _encode_images(self, pixels: Tensor) -> Tensor:
        if self.device.type != "cpu":
            return self._encode(pixels)
        if len(pixels) == 1 or not self.apart:
            return torch.cat([self._encode(piece) for piece in torch.split(pixels, self.piece)])
        size = min(self.piece, -(-len(pixels) // CORES))
        return torch.cat(list(self._cores.map(self._encode, torch.split(pixels, size))))

    @torch.inference_mode()
    def _encode(self, pixels: Tensor) -> Tensor:
        return _length_one(self.model.encode_image(self._normal(pixels)))

    def _normal(self, pixels: Tensor) -> Tensor:
        kind = next(self.model.visual.parameters()).dtype
        return self.preprocess.normal(pixels.to(self.device), kind)

    def _measure(self, pixels: Tensor) -> None:
        """Measure precisions and ways to run on these pictures, apply the fastest, and store it for later processes."""
        whole, half = self.model.visual, copy.deepcopy(self.model.visual).to(torch.bfloat16)

        def run(tower: Any, piece: int, apart: bool, some: Tensor = pixels) -> Callable[[], Tensor]:
            def encode() -> Tensor:
                self.model.visual, self.piece, self.apart = tower, piece, apart
                return self._encode_images(some)

            return encode

        for tower in (whole, half):  # warm-up: the first call prepares kernels
            run(tower, *WAYS[0], pixels[:1])()
        better = devices.measure(run(whole, *WAYS[0]), run(half, *WAYS[0]))
        tower = half if better else whole
        times = {way: devices.clock(run(tower, *way))[1] for way in WAYS}
        speed = Tuning("bfloat16" if better else "float32", *min(WAYS, key=lambda way: times[way]))
        self.model.visual = whole
        self._run_as(speed)
        self.speeds.keep(self.space.fingerprint, speed)

    @property
    def tuning(self) -> Tuning:
        """How the model runs."""
        names = {kind: name for name, kind in devices.PRECISIONS.items()}
        return Tuning(names.get(self.precision or torch.float32, "float32"), self.piece, self.apart)

    def _run_as(self, speed: Tuning) -> None:
        self.precision, self.piece, self.apart = devices.PRECISIONS[speed.precision], speed.piece, speed.apart
        self.model.visual = self.model.visual.to(self.precision)


@dataclass(frozen=True)
class Preprocessing:
    """A model's preprocessing in two steps: geometry for each picture, normalisation for a batch."""

    geometry: Callable[[Image], Any]
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, steps: Any) -> Preprocessing:
        """Split open_clip's transforms into resizing and cropping, and the final `ToTensor` and `Normalize`.

        Raises:
            ModelError: the transforms do not end with these two.
        """
        *geometry, last, normal = steps.transforms
        if not (isinstance(last, transforms.ToTensor) and isinstance(normal, transforms.Normalize)):
            raise ModelError(f"unknown preprocessing: {steps}")
        return cls(transforms.Compose(geometry), torch.tensor(normal.mean), torch.tensor(normal.std))

    def cut(self, image: Image) -> Pixels:
        """Resize and crop an upright RGB picture: (height, width, 3) uint8."""
        return np.asarray(self.geometry(image))

    def normal(self, pixels: Tensor, kind: torch.dtype) -> Tensor:
        """Normalise (n, height, width, 3) uint8 to (n, 3, height, width) of the given dtype, channels last."""
        mean, deviation = (each.to(pixels.device) for each in (self.mean, self.deviation))
        return pixels.float().div_(255).sub_(mean).div_(deviation).to(kind).permute(0, 3, 1, 2)


class UninitialisedWeights(TorchFunctionMode):
    """While active, torch initialises no random weights: the checkpoint brings all of them, or loading fails."""

    drawing = (
        Tensor.normal_, Tensor.uniform_, init.normal_, init.uniform_, init.trunc_normal_, init.xavier_uniform_,
        init.kaiming_normal_, init.kaiming_uniform_,
    )  # fmt: skip

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Return the tensor unchanged for initialisation functions; call every other torch function."""
        kwargs = kwargs or {}
        if func in self.drawing:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _alone() -> None:
    """Limit torch to one core in this thread, then restore the default for threads that start later."""
    torch.set_num_threads(1)
    other = threading.Thread(target=torch.set_num_threads, args=(THREADS,))
    other.start()
    other.join()


@contextmanager
def _root_logger_untouched() -> Iterator[None]:
    """Keep open_clip, which logs by `logging.info`, from configuring a root logger that has no handler."""
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


@_root_logger_untouched()
def _create(name: ModelName, path: Path) -> tuple[Any, Callable[[Image], Tensor], Callable[[list[str]], Tensor]]:
    import open_clip

    if name.route in (WeightSource.HUB, WeightSource.FOLDER):
        source = f"local-dir:{path}"
        model, _, preprocess = open_clip.create_model_and_transforms(source, require_pretrained=True)
        return model, preprocess, open_clip.get_tokenizer(source, **_own_vocabulary(path))
    if name.architecture not in open_clip.list_models():
        raise ModelError(f"open_clip knows no architecture {name.architecture!r}; see `retrieval models --all`")
    config = open_clip.get_pretrained_cfg(name.architecture, name.tag) if name.route is WeightSource.TAG else {}
    model, _, preprocess = open_clip.create_model_and_transforms(
        name.architecture,
        pretrained=str(path),
        require_pretrained=True,
        force_quick_gelu=bool(config.get("quick_gelu", False)),
        image_mean=config.get("mean"),
        image_std=config.get("std"),
        image_interpolation=config.get("interpolation"),
        image_resize_mode=config.get("resize_mode"),
    )
    return model, preprocess, open_clip.get_tokenizer(name.architecture)


def _own_vocabulary(folder: Path) -> dict[str, str]:
    """Return the path of the folder's own vocabulary file; open_clip would look in the working directory."""
    text = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
    file = text.get("tokenizer_kwargs", {}).get("bpe_path", "")
    return {"bpe_path": str(folder / file)} if file and (folder / file).is_file() else {}


def _load_error(name: ModelName, cause: Exception) -> ModelError:
    text = " ".join(str(cause).split())[:300]
    offline = any(word in text.lower() for word in ("connection", "offline", "hub", "resolve", "internet"))
    if offline and name.route is not WeightSource.FOLDER:
        return ModelUnavailable(f"{name.spelling} needs another file of the hub, which cannot be reached: {text}")
    return ModelError(f"cannot load the model {name.spelling}: {text}")


def _dimensions(model: Any, tokenizer: Callable[[list[str]], Tensor], device: torch.device) -> int:
    with torch.inference_mode():
        return int(model.encode_text(tokenizer(["a"]).to(device)).shape[-1])


def _unit(rows: Tensor) -> Vectors:
    """Return rows of any precision as float32 rows of unit length."""
    found: Vectors = _length_one(rows).cpu().numpy()
    return found


def _length_one(rows: Tensor) -> Tensor:
    """Normalise rows in float32: normalising in bfloat16 is off by 0.4%."""
    return torch.nn.functional.normalize(rows.float(), dim=-1)


def _fingerprint(found: Path, preprocess: dict[str, Any]) -> str:
    """Return a hash of weights and preprocessing; for large files, of their size and both ends only."""
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
