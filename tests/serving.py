"""A real server process for tests: `retrieval serve` at a free port, its address and what it said."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    url: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def token(self) -> str:
        """The first one, as it was shown."""
        return next(line.strip() for line in self.said if line.strip().startswith("rtv_"))

    def client(self, token: str = "", **options: object) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)  # type: ignore[arg-type]  # httpx's

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def serving(library: Path, *options: object, before: str = "") -> Iterator[Server]:
    """`retrieval serve` on a library, until the block ends; `before` is code that its process runs first."""
    program = ["-c", f"{before}\nfrom retrieval.cli import main\nmain()"] if before else ["-m", "retrieval"]
    command = [sys.executable, *program, "serve", "--index", str(library), "--port", "0"]
    process = subprocess.Popen([*command, *map(str, options)], stderr=subprocess.PIPE, text=True)
    server = Server(process)
    ready = threading.Event()

    def listen() -> None:
        assert process.stderr is not None  # it is a pipe
        for line in process.stderr:
            server.said.append(line.rstrip("\n"))
            found = re.search(r"serving at (http://\S+?)/ ", line)
            if found:
                server.url = found[1].replace("localhost", "127.0.0.1")
                ready.set()
        ready.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        assert ready.wait(60)
        assert server.url, server.said
        with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:
            assert client.get(f"{server.url}/healthz").status_code == 200
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        listener.join()
        assert process.stderr is not None  # it is a pipe
        process.stderr.close()
