"""The memory of a server in use: searches, large previews, explanations, the vision-language model; and at rest.

    python -m benchmarks.serve_memory LIBRARY CAPTIONS.csv [ROUNDS]

A round is what someone does with the page in some minutes: 60 searches with their thumbnails, 20 large previews (2560
pixels), 5 explanations with heat maps, 5 captions and 5 questions. The server is told to let go of the vision-language
model after 20 seconds instead of ten minutes, and to tidy every 10 seconds instead of every minute.
"""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import httpx
import psutil

from tests.serving import serving

HASTY = "from retrieval.server import service; service.TIDY_SECONDS, service.IDLE_SECONDS = 10.0, 20.0"


def main() -> None:
    """Play the rounds and print the resident memory after each step."""
    library, captions = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    with Path(captions).open(encoding="utf-8") as stream:
        queries = [row[1] for row in csv.reader(stream)][1:]
    with serving(Path(library), before=HASTY) as server, server.client() as client:
        process = psutil.Process(server.process.pid)
        print("| after | resident MB |")
        print("| --- | --- |")

        def tell(what: str) -> None:
            print(f"| {what} | {process.memory_info().rss / 1e6:.0f} |", flush=True)

        client.timeout = 120  # the vision-language model is loaded
        client.get("/v1/search", params={"q": "a dog"})
        tell("the first search")
        items = [row["item"] for row in client.get("/v1/items", params={"count": 400}).json()["items"]]
        for number in range(1, rounds + 1):
            play(client, items, queries[60 * number :])
            tell(f"round {number}")
        time.sleep(45)
        tell("45 seconds of rest")


def play(client: httpx.Client, items: list[int], queries: list[str]) -> None:
    """One round."""
    for query in queries[:60]:
        for hit in client.get("/v1/search", params={"q": query, "k": 20}).json()["hits"]:
            client.get(f"/v1/items/{hit['item']}/thumbnail")
    for item in items[:20]:
        client.get(f"/v1/items/{item}/thumbnail", params={"size": 2560})
    for place, item in enumerate(items[:5]):
        client.get("/v1/why", params={"q": queries[place], "item": item, "heat": True})
        client.post("/v1/caption", data={"items": item})
        client.post("/v1/ask", data={"items": item, "question": "Is there a dog?"})


if __name__ == "__main__":
    main()
