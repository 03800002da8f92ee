"""A server under load: 50 clients at once for a minute, each asking its next query as soon as it has its answer.

    python benchmarks/serve_load.py LIBRARY CAPTIONS.csv [SECONDS] [CLIENTS]

Queries are captions of the file's second column, each asked once. The same load goes to a server that works on several
requests and joins their calls of the model (`retrieval serve`), and to one that works on one request at a time.
Prints answers a second, medians and 99th percentiles of milliseconds, errors, and the peak memory.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import psutil

from retrieval.server.admission import Load

SERVER = """
import sys
from pathlib import Path
from retrieval import Library
from retrieval.server.admission import Load
from retrieval.server.api import ServerOptions, application
from retrieval.server.run import ListenAddress, serve
from retrieval.server.service import Service
from retrieval.server.tokens import Tokens

with Library.open(sys.argv[1], read_only=True) as library:
    place = ListenAddress(port=int(sys.argv[2]))
    load = Load(running=int(sys.argv[3]), waiting=1000)
    service = Service(library)
    app = application(service, Tokens.of(library.path), ServerOptions(load=load))
    serve(app, place, place.listen(), service.jobs.stop_all)
"""


def ask(url: str, queries: list[str], seconds: float, found: multiprocessing.Queue[tuple[list[float], int]]) -> None:
    """One client process with several connections would share a clock; each has its own."""
    taken: list[float] = []
    errors = 0
    end = time.monotonic() + seconds
    with httpx.Client(base_url=url, timeout=120) as client:
        for query in queries:
            if time.monotonic() > end:
                break
            started = time.perf_counter()
            answer = client.get("/v1/search", params={"q": query, "k": 20})
            taken.append(time.perf_counter() - started)
            errors += answer.status_code != 200
    found.put((taken, errors))


def loaded(library: Path, queries: list[str], seconds: float, clients: int, running: int) -> list[object]:
    """A row of the table."""
    port = 8900 + running
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(library), str(port), str(running)], stderr=-3)
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            httpx.get(f"{url}/v1/search", params={"q": "a photo"}, timeout=120).raise_for_status()
            break
        except httpx.ConnectError:
            time.sleep(0.3)
    found: multiprocessing.Queue[tuple[list[float], int]] = multiprocessing.Queue()
    share = len(queries) // clients
    askers = [
        multiprocessing.Process(target=ask, args=(url, queries[n * share : (n + 1) * share], seconds, found))
        for n in range(clients)
    ]
    started = time.perf_counter()
    for asker in askers:
        asker.start()
    results = [found.get() for _ in askers]
    spent = time.perf_counter() - started
    for asker in askers:
        asker.join()
    memory = psutil.Process(process.pid).memory_info().rss / 2**20
    process.terminate()
    process.wait()
    taken = np.array([value for values, _ in results for value in values]) * 1000
    errors = sum(count for _, count in results)
    return [running, len(taken), len(taken) / spent, np.median(taken), np.percentile(taken, 99), errors, memory]


def main() -> None:
    library, captions = Path(sys.argv[1]), Path(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 60.0
    clients = int(sys.argv[4]) if len(sys.argv) > 4 else 50
    with captions.open(encoding="utf-8") as stream:
        queries = [row[1] for row in csv.reader(stream)][1:]
    print(f"{clients} clients, {seconds:.0f} s, {os.cpu_count()} cores shared with the clients")
    print(f"{'at work':>8} {'answers':>8} {'a second':>9} {'p50 ms':>8} {'p99 ms':>8} {'errors':>7} {'MiB':>6}")
    for running in (Load().running, 1):
        row = loaded(library, queries, seconds, clients, running)
        print(f"{row[0]:>8} {row[1]:>8} {row[2]:>9.1f} {row[3]:>8.0f} {row[4]:>8.0f} {row[5]:>7} {row[6]:>6.0f}")


if __name__ == "__main__":
    main()
