"""A model hub on this machine: the few requests that fetching a repository makes, over real HTTP, with its failures."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

COMMIT = "1" * 40


@dataclass
class Hub:
    """What the server serves, how it misbehaves, and what it was asked for."""

    folder: Path
    repository: str = "org/tiny"
    break_after: int | None = None  # bytes of a large file after which the connection is closed, once
    spoil: bool = False  # send other bytes than the hash promises
    ranges: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(send=False)

        def do_GET(self) -> None:
            self.answer(send=True)

        def answer(self, send: bool) -> None:
            path = urlparse(self.path).path
            if path.startswith(f"/api/models/{hub.repository}") and "/tree" not in path:
                names = [{"rfilename": file.name} for file in sorted(hub.folder.iterdir())]
                self.reply(200, json.dumps({"id": hub.repository, "sha": COMMIT, "siblings": names}).encode(), send)
            elif path.startswith(f"/api/models/{hub.repository}/tree"):
                self.reply(200, json.dumps([entry(file) for file in sorted(hub.folder.iterdir())]).encode(), send)
            elif path == "/":
                self.reply(200, b"a hub", send)
            elif path.startswith(f"/{hub.repository}/resolve/") and (hub.folder / Path(path).name).is_file():
                self.file((hub.folder / Path(path).name).read_bytes(), send)
            else:
                known = hub.repository in path
                self.reply(404, b"{}", send, {"X-Error-Code": "EntryNotFound" if known else "RepoNotFound"})

        def file(self, data: bytes, send: bool) -> None:
            digest = hashlib.sha256(data).hexdigest()
            headers = {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            if len(data) > 10_000:
                headers |= {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": str(len(data))}
            start = 0
            asked = self.headers.get("Range", "")
            if send and len(data) > 10_000:
                hub.ranges.append(asked)
            if asked.startswith("bytes="):
                start = int(asked[6:].split("-")[0])
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            body = data[start:]
            if hub.spoil and len(data) > 10_000:
                body = bytes(len(body))
            self.reply(
                206 if asked else 200, body, send, headers, break_after=hub.break_after if len(data) > 10_000 else None
            )

        def reply(
            self,
            code: int,
            body: bytes,
            send: bool,
            headers: dict[str, str] | None = None,
            break_after: int | None = None,
        ) -> None:
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if send and break_after is not None:
                hub.break_after = None
                self.wfile.write(body[:break_after])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
            elif send:
                self.wfile.write(body)

    def entry(file: Path) -> dict[str, object]:
        data = file.read_bytes()
        digest, size = hashlib.sha256(data).hexdigest(), len(data)
        large = {"lfs": {"oid": digest, "size": size, "pointerSize": 100}} if size > 10_000 else {}
        return {"type": "file", "path": file.name, "oid": digest[:40], "size": size, **large}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # broken connections are the point
    hub.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
