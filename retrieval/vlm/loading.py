"""Checks transformers checkpoints and loads them with their processor.

Knows how transformers loads; does not know prompts.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError, ModelUnavailable
from ..runtime import extras
from . import families, model_list
from .checkpoints import ADAPTER, CONFIG, WEIGHTS, fingerprint, installed
from .families import Family, Scorer
from .model_name import VlmName, VlmSource

log = logging.getLogger(__name__)

REVISION = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory."""

    name: str
    family: Family
    model: Any
    processor: Any
    fingerprint: str


def load(spelling: str, family: str, remote_code: str, kind: torch.dtype | None) -> Loaded:
    """Load a model and its processor onto the CPU in the given precision; None: the precision of its weights.

    With None, float16 weights run in bfloat16, which CPUs multiply fast.

    Raises:
        ModelError: the name or type is unknown, the weights are missing, or the checkpoint is broken.
        ModelUnavailable: the model is not on this machine.
    """
    name = VlmName.parse(spelling)
    if remote_code and (name.place is not VlmSource.HUB or not REVISION.fullmatch(remote_code)):
        raise ModelError("code of a repository runs only for hf-hub:ORG/NAME with a revision of 40 hexadecimal digits")
    folder = installed(name, remote_code or None)
    if folder is None:
        raise ModelUnavailable(
            f"{spelling} is not on this machine; fetch it with `retrieval vlms pull {spelling}` (needs network), "
            "or use --vlm builtin, which is always here"
        )
    chosen = _family(name, folder, family)
    if (folder / ADAPTER).is_file():
        extras.require("adapters", f"{spelling} is an adapter: reading it")
    _quiet()
    trust = {"trust_remote_code": bool(remote_code)} | ({"code_revision": remote_code} if remote_code else {})
    try:
        model = _class(chosen).from_pretrained(folder, dtype=kind or "auto", local_files_only=True, **trust)
        if kind is None and model.dtype == torch.float16:
            model = model.to(torch.bfloat16)
        processor = _processor(folder, trust)
    except ModelError:
        raise
    except Exception as exc:
        # transformers raises OSError, ValueError, KeyError, RuntimeError, safetensors' own ... for broken files.
        reason = " ".join(str(exc).split())[:300]
        raise ModelError(f"cannot load {spelling}: {reason}") from exc
    log.info("loaded %s from %s: family %s, %s", spelling, folder, chosen.name, model.dtype)
    return Loaded(name.spelling, chosen, model, processor, fingerprint(folder))


def _quiet() -> None:
    """Turn off transformers' progress bars and warnings, which do not help users."""
    from transformers.utils import logging

    settings: Any = logging  # not annotated
    settings.set_verbosity_error()
    settings.disable_progress_bar()


def _family(name: VlmName, folder: Path, family: str) -> Family:
    if family:
        return families.named(family)
    known = model_list.family_of(name.repository)
    if known is not None:
        return known
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise ModelError(f"{folder} is an adapter; say what it is with --vlm-family NAME") from exc
    except (OSError, ValueError) as exc:
        raise ModelError(f"cannot read {folder / CONFIG}: {exc}") from exc
    if not any((folder / weights).is_file() for weights in WEIGHTS):
        raise ModelError(f"{folder} has no weights ({' or '.join(WEIGHTS)})")
    return families.of_type(str(config.get("model_type")))


def _class(family: Family) -> Any:
    from transformers import AutoModelForImageTextToText

    if family.scorer is Scorer.HEAD:
        from .jina import JinaReranker

        return JinaReranker
    if family.heat:
        from transformers import CLIPSegForImageSegmentation

        return CLIPSegForImageSegmentation
    if "yi_vl" in family.types:
        from . import yi  # noqa: F401  # registers its class
    return AutoModelForImageTextToText


def _processor(folder: Path, trust: dict[str, Any]) -> Any:
    from transformers import AutoProcessor

    reader: Any = AutoProcessor  # not annotated
    adapter = folder / ADAPTER
    if adapter.is_file() and not (folder / "preprocessor_config.json").is_file():
        base = json.loads(adapter.read_text(encoding="utf-8"))["base_model_name_or_path"]
        return reader.from_pretrained(base, local_files_only=True)
    return reader.from_pretrained(folder, local_files_only=True, **trust)
