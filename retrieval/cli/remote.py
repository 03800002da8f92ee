"""Asks a running server of this user, which has the library open and so answers at once, over its Unix socket.

It is asked only when its answer would be the same as one made in this process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..config import SOCKET, Settings
from ..errors import ModelUnavailable
from ..library import factory
from ..types.records import Answer

if TYPE_CHECKING:
    from ..client import Client

OTHERS = ("device", "precision")  # settings in which a server may differ


def ask_server(settings: Settings, text: str, k: int, **options: Any) -> Answer | None:
    """Return the server's answer; None where no server has this library open, or its answer would differ."""
    socket = factory.library_path(None, settings) / SOCKET
    usual = Settings()
    if not socket.is_socket() or any(getattr(settings, name) != getattr(usual, name) for name in OTHERS):
        return None
    from ..client import LONGEST, MOST, Client

    if k > MOST or len(text) > LONGEST or (options.get("page") or 1) > MOST:
        return None
    with Client("http://localhost", socket=socket) as client:
        try:
            if options.get("rerank") and not _same_model(client, settings):
                return None
            found = client.search(text, k, **options)
        except ModelUnavailable:
            return None  # it has just stopped, or cannot load its model: answer in this process
    exact = all("\\x" not in str(path) for hit in found.hits for path in (hit.path, *hit.copies, *hit.beneath))
    return found if exact else None  # JSON cannot carry paths that are not UTF-8


def _same_model(client: Client, settings: Settings) -> bool:
    return bool(client.status()["caller"]["vlm"] == settings.vlm)


def names_no_file(text: str | None) -> bool:
    """Return whether a query names no files, whose relative paths a server would resolve differently."""
    from ..queries.saved_names import FILES

    return not any(f"{token}:" in (text or "") for token in FILES)
