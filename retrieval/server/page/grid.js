// A justified grid of any length: only the rows near the window are in the document.

import { thumbnail } from "./api.js";
import { el, name } from "./dom.js";
import { t } from "./words.js";

const GAP = 6;
const MARGIN = 900; // pixels above and below the window that are kept
const WIDEST = 2.6; // of a tile, in heights; wider pictures are cut at their sides
const SIZES = [320, 1280, 2560]; // of the longer side of a thumbnail, in pixels

export class Grid {
  // more() is called when the end comes near; open(entry, place) when a picture is chosen.
  constructor(node, { more, open }) {
    Object.assign(this, { node, more, open, entries: [], rows: [], height: 0, shown: new Map(), at: 0 });
    const redraw = () => this.draw();
    addEventListener("scroll", redraw, { passive: true });
    new ResizeObserver(() => this.layout()).observe(node);
    node.addEventListener("keydown", (event) => this.key(event));
    node.addEventListener("click", (event) => this.click(event));
    node.addEventListener("focusin", (event) => {
      const tile = event.target.closest(".tile");
      if (tile) this.at = Number(tile.dataset.place);
    });
  }

  // Other pictures; those that stay keep their elements, so that nothing flickers.
  set(entries, { keep = false } = {}) {
    this.entries = entries;
    if (!keep) this.at = 0;
    this.layout();
  }

  add(entries) {
    this.entries = this.entries.concat(entries);
    this.place(this.rows.length ? this.rows.pop().first : 0);
    this.draw();
  }

  layout() {
    this.rows = [];
    this.place(0);
    this.draw();
  }

  // Fill rows from an entry on; the last one may be short.
  place(first) {
    const width = this.node.clientWidth;
    if (!width) return;
    const wanted = width < 600 ? 118 : width < 1100 ? 180 : 220;
    let row = [], ratios = 0;
    let top = this.rows.length ? this.rows.at(-1).top + this.rows.at(-1).height + GAP : 0;
    for (let place = first; place < this.entries.length; place++) {
      const { width: w, height: h } = this.entries[place];
      const ratio = w && h ? Math.min(Math.max(w / h, 0.5), WIDEST) : 1.33;
      row.push(ratio);
      ratios += ratio;
      const height = (width - GAP * (row.length - 1)) / ratios;
      const last = place === this.entries.length - 1;
      if (height <= wanted || last) {
        const fit = Math.min(height, wanted * 1.15);
        this.rows.push({ first: place - row.length + 1, ratios: row, top, height: fit });
        top += fit + GAP;
        row = [];
        ratios = 0;
      }
    }
    this.height = top;
    this.node.style.height = `${top}px`;
  }

  draw() {
    const above = this.node.getBoundingClientRect().top;
    const from = -above - MARGIN, to = -above + innerHeight + MARGIN;
    const wanted = new Map();
    for (let at = this.row(from); at < this.rows.length && this.rows[at].top < to; at++) {
      const { first, ratios, top, height } = this.rows[at];
      let left = 0;
      ratios.forEach((ratio, offset) => {
        wanted.set(this.entries[first + offset].item, { place: first + offset, left, top, width: ratio * height, height });
        left += ratio * height + GAP;
      });
    }
    for (const [item, tile] of this.shown) {
      if (!wanted.has(item)) {
        tile.remove();
        this.shown.delete(item);
      }
    }
    let before = null; // elements stand in the order of the hits, which is how they are read aloud
    for (const [item, box] of wanted) {
      const entry = this.entries[box.place];
      let tile = this.shown.get(item);
      if (!tile) {
        tile = this.tile(entry, box);
        this.shown.set(item, tile);
      }
      const after = before ? before.nextSibling : this.node.firstChild;
      if (tile !== after) this.node.insertBefore(tile, after);
      before = tile;
      this.mark(tile, entry, box);
    }
    if (!this.entries.length || -above + innerHeight + 2 * MARGIN > this.height) this.more?.();
  }

  row(top) {
    let low = 0, high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].top + this.rows[middle].height < top) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  tile(entry, box) {
    const image = el("img", { src: thumbnail(entry, size(entry, box)), alt: "", decoding: "async", loading: "lazy" });
    image.addEventListener("error", () => image.closest(".tile")?.classList.add("broken"), { once: true });
    const link = el("a", { href: `#item=${entry.item}` }, image, el("span", { class: "badges" }));
    return el("div", { class: "tile", role: "listitem" }, link);
  }

  mark(tile, entry, { place, left, top, width, height }) {
    Object.assign(tile.style, { transform: `translate(${left}px, ${top}px)`, width: `${width}px`, height: `${height}px` });
    tile.dataset.place = place;
    tile.setAttribute("aria-setsize", this.entries.length);
    tile.setAttribute("aria-posinset", place + 1);
    const link = tile.firstChild;
    link.tabIndex = place === this.at ? 0 : -1;
    const by = entry.by && (entry.by === "name" ? t("byName") : t("byText", { what: entry.by }));
    const band = [entry.band && t(entry.band), by].filter(Boolean).join(", ");
    link.firstChild.alt = [entry.text || name(entry.path), band].filter(Boolean).join(", ");
    const badges = link.lastChild;
    const told = `${entry.band ?? ""}|${entry.beneath ?? 0}|${entry.second ?? ""}`;
    if (badges.dataset.told === told) return;
    badges.dataset.told = told;
    badges.replaceChildren(
      ...(entry.band ? [el("span", { class: `band ${entry.band}`, title: band })] : []),
      ...(entry.beneath ? [el("span", { class: "stack", title: t("folded", { count: entry.beneath }) }, `+${entry.beneath}`)] : []),
      ...(entry.second !== null && entry.second !== undefined ? [el("span", { class: "stack", title: t("film") }, "▶")] : []),
    );
  }

  click(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.at = Number(tile.dataset.place);
    this.open(this.entries[this.at], this.at);
  }

  key(event) {
    const across = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const down = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Home") this.focus(0);
    else if (event.key === "End") this.focus(this.entries.length - 1);
    else if (across) this.focus(this.at + across);
    else if (down) this.focus(this.beside(down));
    else return;
    event.preventDefault();
  }

  // The picture in the next row that is nearest to where this one is.
  beside(step) {
    const at = this.rows.findIndex((row) => this.at >= row.first && this.at < row.first + row.ratios.length);
    const here = this.rows[at], there = this.rows[at + step];
    if (!there) return this.at;
    const middle = (row, place) => row.ratios.slice(0, place).reduce((sum, each) => sum + each, row.ratios[place] / 2) * row.height;
    const mine = middle(here, this.at - here.first);
    const away = there.ratios.map((_, place) => Math.abs(middle(there, place) - mine));
    return there.first + away.indexOf(Math.min(...away));
  }

  focus(place) {
    if (place < 0 || place >= this.entries.length) return;
    this.at = place;
    const row = this.rows.find((each) => place >= each.first && place < each.first + each.ratios.length);
    const top = this.node.getBoundingClientRect().top + scrollY + row.top;
    if (top < scrollY + 90 || top + row.height > scrollY + innerHeight) scrollTo({ top: top - innerHeight / 3 });
    this.draw();
    this.shown.get(this.entries[place].item)?.firstChild.focus({ preventScroll: true });
  }
}

// The size of the thumbnail that fills a tile: of a panorama, most of which is cut off, a larger one.
function size({ width, height }, box) {
  const ratio = width && height ? width / height : 1;
  const side = Math.max(box.width, box.height, ratio > 1 ? box.height * ratio : box.width / ratio);
  return SIZES.find((each) => each * 1.25 >= side) ?? SIZES.at(-1);
}
