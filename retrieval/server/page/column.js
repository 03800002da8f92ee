// One column of pictures: asks, shows the answer as it comes, loads more while one scrolls. Compare shows two of them.

import { ask, stream } from "./api.js";
import { button, el, fill, seconds } from "./dom.js";
import { Grid } from "./grid.js";
import { said, t } from "./words.js";

const FIRST = 60, PAGE = 200;
const MOST_ALIKE = 100; // pictures that facets count where nothing says how sure any is
const SLOW = 200; // milliseconds after which one sees that a search runs
export const USUAL = { threshold: "likely", order: "score", fold: true, rerank: false };

const entry = (hit) => ({
  item: hit.item, digest: hit.digest, path: hit.path, text: hit.text, band: hit.band, by: hit.by, width: hit.width,
  height: hit.height, second: hit.second, beneath: hit.beneath_items.length, folded: hit.beneath_items,
});

export class Column {
  constructor({ node, open, total, facets }) {
    const [answer, state, grid, end] = [".answer", ".state", ".grid", ".end"].map((part) => node.querySelector(part));
    Object.assign(this, { node, answerNode: answer, stateNode: state, endNode: end, total, facets, settings: { ...USUAL }, asked: null });
    this.grid = new Grid(grid, { more: () => this.more(), open: (found, place) => open(this, found, place) });
  }

  // What is looked for: {q, image}. Nothing: all pictures, newest first.
  async search(asked) {
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    Object.assign(this, { asked, next: null, done: true, loading: true });
    const slow = setTimeout(() => this.node.classList.add("busy"), SLOW);
    try {
      if (!asked.q && !asked.image) await this.leaf(abort);
      else if (this.settings.rerank && asked.q && !asked.image) await this.reranked(abort);
      else await this.found(abort);
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error);
    } finally {
      clearTimeout(slow);
      if (this.abort === abort) {
        this.loading = false;
        this.node.classList.remove("busy");
      }
    }
    return this.abort === abort;
  }

  async leaf({ signal }) {
    const found = await ask("v1/items", { query: { count: PAGE }, signal });
    this.answer = null;
    this.state(found.items.length ? "" : "empty");
    this.grid.set(found.items);
    this.follow(found.next ? { after: found.next } : null);
    const total = this.total?.() ?? 0;
    fill(this.answerNode, total ? t("allPictures", { count: total }) : "");
    this.facets?.(null);
  }

  // Likely pictures; where none is, those that come closest.
  async found(abort) {
    let answer = await this.page({ page: 1, facets: true }, abort);
    const unsure = !answer.hits.length && !answer.nothing && this.settings.threshold === "likely" && answer.bands?.weak;
    if (unsure) answer = await this.page({ page: 1, facets: true, threshold: "weak" }, abort);
    this.show(answer, unsure ? "weak" : this.settings.threshold);
  }

  page(more, { signal }) {
    const { q, image } = this.asked, { threshold, fold, order } = this.settings;
    const query = { q, threshold, fold, order, k: FIRST, ...more };
    if (order === "diverse") Object.assign(query, { page: undefined, k: FIRST }); // one page
    if (!image) return ask("v1/search", { query, signal });
    const body = new FormData();
    body.append("image", image);
    return ask("v1/search", { method: "POST", query, body, signal });
  }

  async reranked({ signal }) {
    const { threshold, fold } = this.settings;
    const query = { q: this.asked.q, k: FIRST, threshold, fold, rerank: true, depth: 50 };
    for await (const { event, data } of stream("v1/search/stream", { query, signal })) {
      if (event === "answer") this.show(data, threshold);
      if (event === "checked") this.told(t("checked", data));
    }
    const looked = this.answer?.notes.map((note) => note.match(/^checked (\d+) of \d+ with/)).find(Boolean);
    if (looked) {
      const all = button({ class: "suggestion", onclick: () => this.again({ rerank: false }) }, t("showUnchecked"));
      fill(this.endNode, el("p", {}, t("checkedOf", { count: Number(looked[1]), total: this.answer.searched })), all);
    }
  }

  show(answer, threshold) {
    const known = ["strong", "likely", "weak"].some((band) => answer.bands?.[band]);
    this.answer = answer;
    this.state(answer.hits.length ? "" : answer.nothing ? "nothing" : "none");
    this.grid.set(answer.hits.map(entry));
    this.follow(answer.cursor ? { cursor: answer.cursor, threshold } : null);
    fill(
      this.answerNode, answer.hits.length ? el("span", { class: "told" }, this.counted(answer, threshold)) : null,
      ...["strong", "likely", "weak"].filter((band) => answer.hits.some((hit) => hit.band === band))
        .map((band) => el("span", { class: "legend" }, el("span", { class: `band ${band}` }), t(band))),
      ...(answer.hits.length ? this.notes() : []).map((note) => el("span", { class: "note" }, note)),
    );
    if (answer.hits.length) this.answerNode.append(...this.suggestions());
    const alike = !known && (answer.bands?.[""] ?? 0) > MOST_ALIKE && answer.hits[0]?.score !== null; // of a picture, or a taught word
    if (answer.facets) this.facets?.(answer.facets, alike ? MOST_ALIKE : 0);
  }

  // How many pictures the answer has, as sure as is shown, and how long it took.
  counted(answer, threshold) {
    const bands = answer.bands ?? {}, sum = (...names) => names.reduce((all, name) => all + (bands[name] ?? 0), 0);
    const known = sum("strong", "likely", "weak"), all = known + sum("");
    const shown = { strong: sum("strong"), likely: sum("strong", "likely"), weak: known }[threshold] ?? all;
    const count = answer.bands ? shown + (threshold === "none" ? 0 : sum("")) : answer.hits.length;
    const parts = [threshold === "weak" && !sum("strong", "likely") && known ? t("nearest") : t("found", { count })];
    return [...parts, t("foundIn", { time: seconds(answer.seconds) })].filter(Boolean).join(" ");
  }

  notes() {
    return this.answer.notes.map(said).filter(Boolean);
  }

  // Other queries that may be meant, to be clicked.
  suggestions() {
    const suggestions = this.answer?.suggestions ?? [];
    if (!suggestions.length) return [];
    const buttons = suggestions.map((each) => button({ class: "suggestion", onclick: () => this.suggested?.(each.query) },
      each.count === null ? each.query : `${each.query} (${each.count})`));
    return [el("p", { class: "suggestions" }, t("didYouMean"), " ", ...buttons)];
  }

  told(text) {
    this.answerNode.querySelector(".told")?.replaceChildren(text);
  }

  again(settings) {
    Object.assign(this.settings, settings);
    this.changed?.();
    return this.search(this.asked);
  }

  follow(next) {
    this.next = next;
    this.done = !next;
    fill(this.endNode, ...(this.done ? this.end() : []));
  }

  // What stands behind the last picture: that there are others, which fit less.
  end() {
    const weaker = this.settings.threshold === "likely" && this.answer?.hits.length && this.answer.bands?.weak;
    if (!weaker || !["strong", "likely"].some((band) => this.answer.bands[band])) return [];
    return [button({ class: "suggestion", onclick: () => this.again({ threshold: "weak" }) }, t("lessLikely", { count: weaker }))];
  }

  async more() {
    if (this.done || this.loading || !this.next) return;
    this.loading = true;
    const { abort, next } = this;
    try {
      if (next.after) {
        const found = await ask("v1/items", { query: { count: PAGE, after: next.after }, signal: abort.signal });
        this.grid.add(found.items);
        this.follow(found.next ? { after: found.next } : null);
      } else {
        const answer = await ask("v1/search/next", { query: next, signal: abort.signal });
        const shown = new Set(this.grid.entries.map((each) => each.item));
        this.grid.add(answer.hits.filter((hit) => !shown.has(hit.item)).map(entry));
        this.follow(answer.cursor ? { ...next, cursor: answer.cursor } : null);
      }
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error);
    } finally {
      if (this.abort === abort) this.loading = false;
    }
    this.grid.draw();
  }

  // Pictures until the page is so high, as it was before it was loaded again.
  async until(height) {
    for (let tries = 0; this.grid.height < height && !this.done && tries < 50; tries++) await this.more();
  }

  failed(error) {
    this.done = true;
    if (error.status === 401) return;
    if (error.status === 0) { fill(this.answerNode); return; } // a banner says so; the pictures that are shown stay
    this.grid.set([]);
    fill(this.answerNode);
    fill(this.endNode);
    this.state(error.type === "LibraryNotFound" ? "empty" : "error", error);
  }

  // What stands where no pictures are.
  state(kind, error) {
    const node = this.stateNode;
    node.hidden = !kind;
    node.className = `state ${kind}`;
    if (!kind) return;
    this.grid.set([]);
    this.next = null;
    fill(this.endNode);
    const nearest = () => button({ class: "main", onclick: () => this.again({ threshold: "none" }) }, t("showNearest"));
    const states = {
      nothing: () => [el("h2", {}, t("nothingTitle")), el("p", {}, t("nothingText")), ...this.suggestions(), nearest()],
      none: () => [el("h2", {}, t("noneTitle")), ...this.notes().map((note) => el("p", {}, note)), ...this.suggestions(), this.answer.searched ? nearest() : null],
      empty: () => this.empty?.() ?? [el("h2", {}, t("emptyTitle")), el("p", {}, t("emptyOther"))],
      error: () => [el("h2", {}, t("errorTitle")), el("p", {}, error.message), ...(error.place ? this.pointed(error) : [])],
    };
    fill(node, ...states[kind]());
  }

  // Where in the query the fault is, and what may be meant instead.
  pointed({ place: [first, last], meant }) {
    const text = this.asked.q;
    const line = el("p", { class: "pointed" }, text.slice(0, first), el("mark", {}, text.slice(first, last) || " "), text.slice(last));
    if (!meant) return [line];
    const value = text.slice(first, last).replace(/^[^:]*:/, "");
    const mended = `${text.slice(0, first)}${meant}${meant.endsWith(":") ? value : ""}${text.slice(last)}`;
    return [line, el("p", { class: "suggestions" }, t("didYouMean"), " ", button({ class: "suggestion", onclick: () => this.suggested?.(mended) }, mended))];
  }
}
