"""Asks a running server of this user, which has the library open and so answers at once, over its Unix socket.

It is asked only when its answer would be the same as one made in this process.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..config import SOCKET, Settings
from ..errors import ModelUnavailable
from ..library import backends
from ..types.records import Answer
from ..types.request import LONGEST, MOST, SearchRequest

if TYPE_CHECKING:
    from ..client import Client

log = logging.getLogger(__name__)

OTHERS = ("device", "precision")  # settings in which a server may differ


def ask_server(settings: Settings, request: SearchRequest) -> Answer | None:
    """Return the running server's answer; None if no server has this library, or its answer would differ."""
    socket = backends.library_path(None, settings) / SOCKET
    usual = Settings()
    if not socket.is_socket() or any(getattr(settings, name) != getattr(usual, name) for name in OTHERS):
        return None
    if request.within or not isinstance(request.query, str) or not names_no_file(request.query):
        return None
    from ..client import Client

    if request.k > MOST or len(request.query) > LONGEST or (request.page or 1) > MOST:
        return None
    with Client("http://localhost", socket=socket) as client:
        try:
            if request.rerank and not _same_model(client, settings):
                return None
            found = client.search(request)
            log.info("the server at %s answered", socket)
        except ModelUnavailable:
            return None  # it has just stopped, or cannot load its model: the search runs here
    exact = all("\\x" not in str(path) for hit in found.hits for path in (hit.path, *hit.copies, *hit.beneath))
    return found if exact else None  # names that are not UTF-8 come whole only without a server


def _same_model(client: Client, settings: Settings) -> bool:
    caller = client.status().caller
    return caller is not None and caller.vlm == settings.vlm


def names_no_file(text: str | None) -> bool:
    """Return whether a query names no files, whose relative paths a server would resolve differently."""
    from ..queries.saved_names import FILES

    return not any(f"{token}:" in (text or "") for token in FILES)
