"""The README's pictures of the page, taken in a real browser from the sample photos that come with scikit-image.

    python scripts/screenshots.py [FOLDER]

Makes a library in a temporary folder, serves it, and writes WebP files into FOLDER (docs/). Needs Chromium.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import skimage
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parent.parent
PHOTOS = Path(skimage.__file__).parent / "data"
WIDE, NARROW = {"width": 1280, "height": 760}, {"width": 390, "height": 760}


def opened(page: Page) -> None:
    """The first picture, with its reasons."""
    page.locator("#grid .tile[aria-posinset='1'] a").click()
    page.get_by_role("button", name="Explain").click()
    page.get_by_role("button", name="Show where").click()
    page.wait_for_selector("#viewer canvas")
    page.get_by_label("Question", exact=True).fill("Is there a cat?")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_timeout(1500)
    page.locator(".about").evaluate("(node) => node.scrollTo(0, 150)")


SHOTS = {
    "page": ("/?q=a+cat", WIDE, "light", None),
    "page-picture": ("/?q=a+cat", WIDE, "dark", opened),
    "page-nothing": ("/?q=a+zebra+crossing+the+road&threshold=strong", WIDE, "light", None),
    "page-phone": ("/", NARROW, "dark", None),
}


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"
    program = [sys.executable, "-m", "retrieval"]
    with tempfile.TemporaryDirectory() as place:
        library = Path(place) / "library"
        captions = ["--captions", str(ROOT / "scripts" / "demo.csv"), "--images", str(PHOTOS)]
        subprocess.run([*program, "index", str(PHOTOS), *captions, "--index", str(library), "-q"], check=True)
        command = [*program, "serve", "--index", str(library), "--port", "0"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None  # it is a pipe
        found = next(filter(None, (re.search(r"http://\S+:\d+", line) for line in server.stderr)))
        try:
            shoot(found[0], out)
        finally:
            server.terminate()
            server.wait()


def shoot(url: str, out: Path) -> None:
    """Write the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (path, size, scheme, act) in SHOTS.items():
            page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]  # sizes and schemes
            page.goto(url + path)
            page.wait_for_selector("#grid .tile img, .state h2", timeout=60_000)
            page.reload()  # the first answer waited for the model
            page.wait_for_selector("#grid .tile img, .state h2", timeout=60_000)
            page.wait_for_timeout(1500)
            if act is not None:
                act(page)
            with Image.open(io.BytesIO(page.screenshot())) as image:
                image.save(out / f"{name}.webp", quality=80, method=6)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
