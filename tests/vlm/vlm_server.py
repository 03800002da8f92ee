"""An OpenAI-compatible server on this machine, over real HTTP: it sees the colour of pictures, and it misbehaves."""

from __future__ import annotations

import base64
import io
import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from retrieval.vlm.colours import ColourVlm


@dataclass
class Server:
    """What the server was asked, and what goes wrong: each request takes the next failure, while there are any."""

    failures: list[str] = field(default_factory=list)
    logprobs: bool = True  # vLLM, llama.cpp and Ollama give them; others drop or refuse the field
    refuses: bool = False  # what it does with the field when it has none to give
    says: str | None = None  # instead of what it sees
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    together: int = 1  # so many requests at the same time are waited for before the first is answered
    busiest: int = 0  # requests at the same time
    now: int = 0
    port: int = 0

    @property
    def spelling(self) -> str:
        return f"endpoint:http://127.0.0.1:{self.port}/v1#tiny"

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        parts = [part for message in body["messages"] if message["role"] == "user" for part in message["content"]]
        words = " ".join(part["text"] for part in parts if part["type"] == "text")
        images = [opened(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]
        text = self.says if self.says is not None else ColourVlm().answer(images, words)
        choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}}
        if body.get("logprobs") and self.logprobs:
            yes = ColourVlm().judge(words, images)[0].yes
            first = [("Yes", 0.6 * yes), (" yes", 0.2 * yes), ("No", 0.8 * (1 - yes)), ("Well", 0.2)]
            top = [{"token": token, "logprob": math.log(max(share, 1e-9))} for token, share in first]
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        return {"id": "1", "object": "chat.completion", "choices": [choice]}


def opened(url: str) -> Image.Image:
    head, data = url.split(",", 1)
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def pieces(text: str) -> list[bytes]:
    """An answer as the protocol streams it, letter by letter."""
    deltas = [{"choices": [{"index": 0, "delta": {"content": letter}}]} for letter in text]
    return [f"data: {json.dumps(delta)}\n\n".encode() for delta in deltas] + [b"data: [DONE]\n\n"]


@contextmanager
def serve(server: Server) -> Iterator[Server]:
    lock, over = threading.Condition(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.now += 1
                server.busiest = max(server.busiest, server.now)
                server.bodies.append(body)
                server.keys.append(self.headers.get("Authorization", ""))
                failure = server.failures.pop(0) if server.failures else ""
                lock.notify_all()
                lock.wait_for(lambda: server.busiest >= server.together, timeout=60)
            time.sleep(0.02)  # so that one request too many would be seen
            self.respond(body, failure)
            with lock:
                server.now -= 1

        def respond(self, body: dict[str, Any], failure: str) -> None:
            if self.path != "/v1/chat/completions":
                self.reply(404, b'{"error": {"message": "no such path"}}')
            elif failure.isdigit():
                self.reply(int(failure), json.dumps({"error": {"message": f"failure {failure}"}}).encode())
            elif failure == "slow":
                over.wait()
                self.close_connection = True
            elif failure == "half":
                found = json.dumps(server.answer(body)).encode()
                self.reply(200, found[: len(found) // 2], length=len(found))
                self.close_connection = True
            elif failure == "prose":
                self.reply(200, b"<html>It works!</html>")
            elif failure == "other":
                self.reply(200, b'{"choices": []}')
            elif server.refuses and "logprobs" in body:
                self.reply(400, b'{"error": {"message": "logprobs is not supported"}}')
            elif body.get("stream"):
                self.stream(server.answer(body)["choices"][0]["message"]["content"], failure == "breaks")
            else:
                self.reply(200, json.dumps(server.answer(body)).encode())

        def stream(self, text: str, breaks: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", "100000" if breaks else str(sum(map(len, pieces(text)))))
            self.end_headers()
            for piece in pieces(text)[: 2 if breaks else None]:
                self.wfile.write(piece)
            self.close_connection = breaks

        def reply(self, status: int, data: bytes, length: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data) if length is None else length))
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(data)

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    server.port = running.server_port
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        over.set()
        running.shutdown()
        running.server_close()
