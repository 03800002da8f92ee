"""Optional packages: what each extra of this package brings, and the next step where one is not installed."""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import ModelUnavailable

MODULES = {  # the modules that an extra of pyproject.toml brings
    "cpu": ("faiss",),
    "torch": ("torch", "open_clip", "transformers"),
    "ocr": ("rapidocr",),
    "adapters": ("peft",),
}


def installed(extra: str) -> bool:
    """Return whether all modules of an extra are there."""
    return all(find_spec(module) is not None for module in MODULES[extra])


def require(extra: str, what: str) -> None:
    """Raise an error that names the extra which `what` needs, unless it is installed.

    Raises:
        ModelUnavailable: it is not.
    """
    if not installed(extra):
        raise ModelUnavailable(f"{what} needs more packages: pip install 'retrieval[{extra}]'")
