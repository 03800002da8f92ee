"""A page of thumbnails while others search: how long 60 stored thumbnails take with no one else, and with 20 searchers.

    python -m benchmarks.serve_thumbnails LIBRARY CAPTIONS.csv [SEARCHERS]

A browser is played by six connections, as browsers have them. The page is asked for ten times, each time with other
pictures. Prints medians and maxima of milliseconds until the last thumbnail of a page is there, of one thumbnail, and
of the searches beside them.
"""

from __future__ import annotations

import csv
import multiprocessing
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import cycle
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx

from tests.serving import serving

PAGE, PAGES, CONNECTIONS = 60, 10, 6


def main() -> None:
    """Run both measurements and print the table."""
    library, captions = sys.argv[1:3]
    searchers = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    with Path(captions).open(encoding="utf-8") as stream:
        queries = [row[1] for row in csv.reader(stream)][1:2000]
    with serving(Path(library)) as server:
        with server.client() as client:
            client.get("/v1/search", params={"q": "a dog"})
            items = [row["item"] for row in client.get("/v1/items", params={"count": PAGE * PAGES}).json()["items"]]
        print("| searchers | a page of 60: median, max ms | one: median, max ms | a search: median ms |")
        print("| --- | --- | --- | --- |")
        for number in (0, searchers):
            print(f"| {number} | {measured(server.url, items, queries, number)} |")


def search(url: str, queries: list[str], stop: Event, took: multiprocessing.Queue[float]) -> None:
    """Search until it is time to stop; then tell the median of milliseconds."""
    found: list[float] = []
    with httpx.Client(base_url=url, timeout=60) as client:
        for query in cycle(queries):
            if stop.is_set():
                break
            started = time.perf_counter()
            client.get("/v1/search", params={"q": query, "k": 20})
            found.append(1000 * (time.perf_counter() - started))
    took.put(statistics.median(found))


def measured(url: str, items: list[int], queries: list[str], searchers: int) -> str:
    """Return the cells of a row: pages, single thumbnails, searches."""
    stop = multiprocessing.Event()
    searches: multiprocessing.Queue[float] = multiprocessing.Queue()
    given = [(url, queries[37 * n :], stop, searches) for n in range(searchers)]
    processes = [multiprocessing.Process(target=search, args=each) for each in given]
    for process in processes:
        process.start()
    time.sleep(4 if searchers else 0)
    pages, single = list[float](), list[float]()
    connection = (
        threading.local()
    )  # one for each thread, as a browser has them; httpx would take more time than the server

    def fetch(item: int) -> float:
        started = time.perf_counter()
        if not hasattr(connection, "of"):
            connection.of = HTTPConnection(url.removeprefix("http://"))
        connection.of.request("GET", f"/v1/items/{item}/thumbnail")
        answer = connection.of.getresponse()
        assert answer.status == 200
        answer.read()
        return 1000 * (time.perf_counter() - started)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for start in range(0, len(items), PAGE):
            began = time.perf_counter()
            single += pool.map(fetch, items[start : start + PAGE])
            pages.append(1000 * (time.perf_counter() - began))
            time.sleep(0.3)
    stop.set()
    took = [searches.get() for _ in range(searchers)]
    for process in processes:
        process.join()
    both = (f"{statistics.median(each):.0f}, {max(each):.0f}" for each in (pages, single))
    return " | ".join([*both, f"{statistics.median(took):.0f}" if took else ""])


if __name__ == "__main__":
    main()
