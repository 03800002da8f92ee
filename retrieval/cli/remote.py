"""A server of this user that has the library open already: it answers at once, over the socket in the library's folder.

Knows when its answer would be the same as one made here; does not know how answers are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..config import SOCKET, Settings
from ..errors import ModelUnavailable
from ..library import factory
from ..types.records import Answer

if TYPE_CHECKING:
    from ..client import Client

OTHERS = ("device", "precision")  # settings that a server may have otherwise


def answer(settings: Settings, text: str, k: int, **options: Any) -> Answer | None:
    """The server's answer; None where no server has this library, or would answer otherwise."""
    socket = factory.place(None, settings) / SOCKET
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
            return None  # it has just gone, or cannot load its model: then it is tried here
    exact = all("\\x" not in str(path) for hit in found.hits for path in (hit.path, *hit.copies, *hit.beneath))
    return found if exact else None  # names that are not UTF-8 come whole only without a server


def _same_model(client: Client, settings: Settings) -> bool:
    return bool(client.status()["caller"]["vlm"] == settings.vlm)


def placeless(text: str | None) -> bool:
    """Whether a query names no files, which a server would look for elsewhere."""
    from ..queries.saved_names import FILES

    return not any(f"{token}:" in (text or "") for token in FILES)
