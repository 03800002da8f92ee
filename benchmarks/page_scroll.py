"""The page with 50,000 pictures: how long frames take while one scrolls through all of them, in a real browser.

    python benchmarks/page_scroll.py [COUNT]

The server is a real one with an empty library; the browser is given COUNT made-up items, and one thumbnail for all.
Prints the elements in the page, and medians, 99th percentiles and the longest frame in milliseconds, scrolling a screen
a frame.
"""

from __future__ import annotations

import base64
import io
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Route, sync_playwright

SCROLL = """async (count) => {
    const frames = [];
    let last = performance.now();
    const ended = () => scrollY + innerHeight >= document.body.scrollHeight - 2;
    const known = () => Number(document.querySelector(".tile")?.getAttribute("aria-setsize") ?? 0);
    while (!(ended() && known() >= count) && frames.length < 9000) {
        const waits = ended();
        scrollBy(0, innerHeight);
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        if (!waits) frames.push(now - last);
        last = now;
    }
    return frames;
}"""


OWN_THUMBNAIL = """
const set = Element.prototype.setAttribute;
Element.prototype.setAttribute = function (name, value) {
    const small = this.tagName === "IMG" && name === "src" && value.includes("/thumbnail");
    set.call(this, name, small ? "data:image/webp;base64,DATA" : value);
};
"""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    random.seed(0)
    items = [
        {
            "item": n + 1,
            "content": n + 1,
            "path": f"/p/{n}.jpg",
            "width": random.choice([3, 4, 16]),
            "height": random.choice([3, 4, 9]),
        }
        for n in range(count)
    ]
    out = io.BytesIO()
    Image.new("RGB", (320, 240), "teal").save(out, "WEBP")

    def listed(route: Route) -> None:
        after = int(parse_qs(urlsplit(route.request.url).query).get("after", ["0"])[0])
        some = items[after : after + 1000]  # in larger pages than the page asks for, so that it has all of them soon
        route.fulfill(json={"items": some, "next": some[-1]["item"] if after + 1000 < count else None})

    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "retrieval", "serve", "--create", "--index", f"{place}/library", "--port", "0"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None  # it is a pipe
        url = next(filter(None, (re.search(r"http://\S+:\d+", line) for line in server.stderr)))[0]
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.route("**/v1/items?**", listed)
                # Without a request for each: this program would answer them, and be what is measured.
                page.add_init_script(OWN_THUMBNAIL.replace("DATA", base64.b64encode(out.getvalue()).decode()))
                page.goto(url)
                page.wait_for_selector(".tile")
                first = np.array(page.evaluate(SCROLL, count))
                page.evaluate("scrollTo(0, 0)")
                again = np.array(page.evaluate(SCROLL, count))
                tiles = page.evaluate("document.querySelectorAll('.tile').length")
                known = page.evaluate("Number(document.querySelector('.tile').getAttribute('aria-setsize'))")
                browser.close()
        finally:
            server.terminate()
            server.wait()
    print(json.dumps({"items": known, "elements at the end": tiles}))
    print(f"{'':>22} {'screens':>8} {'p50 ms':>7} {'p99 ms':>7} {'longest':>8}")
    for name, frames in (("loading as it scrolls", first), ("all of it there", again)):
        row = (len(frames), np.median(frames), np.percentile(frames, 99), frames.max())
        print(f"{name:>22} {row[0]:>8} {row[1]:>7.1f} {row[2]:>7.1f} {row[3]:>8.1f}")


if __name__ == "__main__":
    main()
