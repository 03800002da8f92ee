"""Contact sheets: the hits with thumbnails and scores, as one self-contained HTML file or a PNG."""

from __future__ import annotations

import base64
import html
import io
import os
from pathlib import Path
from urllib.parse import quote

from PIL import Image, ImageDraw, ImageFont

from ..errors import SourceError
from ..types.records import Answer, Hit
from ..types.serialize import show_path
from .output import fragment, score

STYLE = """
body{font:15px/1.4 system-ui,sans-serif;margin:2rem;background:Canvas;color:CanvasText;color-scheme:light dark}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(14rem,1fr));gap:1rem}
figure{margin:0;border:1px solid #8884;border-radius:.5rem;padding:.5rem}
img{width:100%;height:11rem;object-fit:contain;background:#8882;border-radius:.25rem}
figcaption{overflow-wrap:anywhere;font-size:.85rem}b{font-variant-numeric:tabular-nums}
"""
CELL, COLUMNS, MARGIN, LINE = 240, 5, 12, 14  # all in pixels but COLUMNS: cells per row


def write(answer: Answer, thumbnails: dict[int, bytes], path: Path) -> None:
    """Write the sheet, as PNG or HTML by the ending of `path`, which `ViewOptions` has checked.

    Raises:
        SourceError: the file cannot be written.
    """
    make = _png if path.suffix.lower() == ".png" else _html
    try:
        path.write_bytes(make(answer, thumbnails))
    except OSError as exc:
        raise SourceError(f"cannot write the contact sheet {path}: {exc.strerror}") from exc


def _html(answer: Answer, thumbnails: dict[int, bytes]) -> bytes:
    figures = "\n".join(_figure(hit, thumbnails.get(hit.content)) for hit in answer.hits)
    title = html.escape(answer.query)
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{STYLE}</style>
<h1>{title}</h1>
<p>{len(answer.hits)} of {answer.searched}, model {html.escape(answer.model)}</p>
<main>
{figures}
</main></html>
"""
    return page.encode("utf-8", "backslashreplace")


def _figure(hit: Hit, thumbnail: bytes | None) -> str:
    name = html.escape(show_path(hit.path) + fragment(hit)) if hit.path else ""
    words = html.escape(hit.text)
    picture = ""
    if thumbnail:
        data = base64.b64encode(thumbnail).decode()
        picture = f'<img alt="{words or name}" src="data:image/webp;base64,{data}">'
    if hit.path:
        link = html.escape(f"file://{quote(os.fsencode(hit.path))}{fragment(hit)}")
        picture, name = (f'<a href="{link}">{each}</a>' if each else "" for each in (picture, name))
    return f"<figure>{picture}<figcaption>{hit.rank}. <b>{score(hit)}</b> {name}<br>{words}</figcaption></figure>"


def _png(answer: Answer, thumbnails: dict[int, bytes]) -> bytes:
    rows = max(1, -(-len(answer.hits) // COLUMNS))
    step, tall = CELL + MARGIN, CELL + 3 * LINE + MARGIN
    sheet = Image.new("RGB", (COLUMNS * step + MARGIN, rows * tall + MARGIN + 2 * LINE), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(LINE - 2)
    pen.text((MARGIN, LINE / 2), answer.query.encode("latin-1", "replace").decode("latin-1")[:150], "black", font)
    for number, hit in enumerate(answer.hits):
        left, top = MARGIN + number % COLUMNS * step, 2 * LINE + MARGIN + number // COLUMNS * tall
        if hit.content in thumbnails:
            small = Image.open(io.BytesIO(thumbnails[hit.content])).convert("RGB")
            small.thumbnail((CELL, CELL))
            sheet.paste(small, (left + (CELL - small.width) // 2, top + (CELL - small.height) // 2))
        name = hit.path.name if hit.path else hit.text
        label = f"{hit.rank}. {score(hit)} {name}".encode("latin-1", "replace").decode("latin-1")
        pen.text((left, top + CELL + 2), label[:38], "black", font)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()
