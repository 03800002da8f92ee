// One column of pictures: asks, shows the answer as it comes, loads more while one scrolls. Compare shows two of them.

import { ask, stream } from "./api.js";
import { count, el, fill, plural, seconds } from "./dom.js";
import { Grid } from "./grid.js";

const FIRST = 60, PAGE = 200;
export const USUAL = { threshold: "weak", order: "score", fold: true, rerank: false };

const entry = (hit) => ({
  item: hit.item, path: hit.path, text: hit.text, band: hit.band, width: hit.width, height: hit.height,
  by: hit.by, second: hit.second, beneath: hit.beneath.length, folded: hit.beneath, rank: hit.rank, score: hit.score, verdict: hit.verdict,
});

export class Column {
  constructor({ grid, answer, state, open, months }) {
    Object.assign(this, { answerNode: answer, stateNode: state, months, settings: { ...USUAL }, asked: null });
    this.grid = new Grid(grid, { more: () => this.more(), open: (found, place) => open(this, found, place) });
  }

  // What is looked for: {q, image, until}. An empty one leafs through everything.
  async search(asked) {
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    Object.assign(this, { asked, next: null, done: true, loading: true, facets: undefined });
    this.answerNode.classList.add("busy");
    try {
      if (!asked.q && !asked.image) await this.leaf(abort);
      else if (this.settings.rerank && !asked.image) await this.reranked(abort);
      else this.show(await this.page({ k: FIRST }, abort), { page: 2 });
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error);
    } finally {
      if (this.abort === abort) {
        this.loading = false;
        this.answerNode.classList.remove("busy");
      }
    }
    return this.abort === abort;
  }

  async leaf({ signal }) {
    const found = await ask("/v1/items", { query: { count: PAGE, until: this.asked.until }, signal });
    this.grid.set(found.items);
    this.next = found.next ? { after: found.next } : null;
    this.done = !this.next;
    const total = this.months?.() ?? 0;
    fill(this.answerNode, total ? `${plural(total, "picture")}, the newest first` : "");
    this.state(found.items.length ? "" : "empty");
  }

  page(more, { signal }) {
    const { q, image } = this.asked, { threshold, fold } = this.settings;
    const order = more.page ? undefined : this.settings.order;
    const query = { q, threshold, fold, order, ...more };
    if (!image) return ask("/v1/search", { query, signal });
    const body = new FormData();
    body.append("image", image);
    return ask("/v1/search", { method: "POST", query, body, signal });
  }

  async reranked({ signal }) {
    const { threshold, fold } = this.settings;
    const query = { q: this.asked.q, k: FIRST, threshold, fold, rerank: true, depth: 50 };  // its order is its own
    for await (const { event, data } of stream("/v1/search/stream", { query, signal })) {
      if (event === "answer") this.show(data, null);
      if (event === "checked") this.told(`the model checked ${data.done} of ${data.total}`);
    }
  }

  show(answer, next) {
    this.answer = answer;
    this.grid.set(answer.hits.map(entry));
    const whole = answer.hits.length < FIRST || !next || this.settings.order !== "score";
    Object.assign(this, { next: whole ? null : next, done: whole });
    const folded = answer.hits.reduce((sum, hit) => sum + hit.beneath.length, 0);
    const parts = [
      `${count(answer.searched)} searched in ${seconds(answer.seconds)}`,
      folded ? `near-duplicates grouped: ${folded}` : "",
    ];
    fill(
      this.answerNode, el("span", { class: "told" }, parts.filter(Boolean).join(" · ")),
      ...["strong", "likely", "weak"].filter((band) => answer.hits.some((hit) => hit.band === band))
        .map((band) => el("span", { class: "legend" }, el("span", { class: `band ${band}` }), `${band} match`)),
      ...(answer.hits.length ? answer.notes : []).map((note) => el("span", { class: "note" }, note)),
    );
    if (answer.hits.length) this.answerNode.append(...this.suggestions());
    this.state(answer.hits.length ? "" : answer.nothing ? "nothing" : "none");
  }

  // Other queries that may be meant, to be clicked.
  suggestions() {
    const suggestions = this.answer.suggestions ?? [];
    if (!suggestions.length) return [];
    const buttons = suggestions.map((each) => el(
      "button", { type: "button", class: "suggestion", onclick: () => this.suggested?.(each.query) },
      each.count === null ? each.query : `${each.query} (${count(each.count)})`,
    ));
    return [el("p", { class: "suggestions" }, "Perhaps: ", ...buttons)];
  }

  told(text) {
    this.answerNode.querySelector(".told")?.replaceChildren(text);
  }

  async more() {
    if (this.done || this.loading || !this.next) return;
    this.loading = true;
    const { abort, next } = this;
    try {
      if (next.after) {
        const found = await ask("/v1/items", { query: { count: PAGE, after: next.after, until: this.asked.until }, signal: abort.signal });
        this.grid.add(found.items);
        this.next = found.next ? { after: found.next } : null;
      } else {
        const { threshold } = this.settings;
        const answer = next.cursor
          ? await ask("/v1/search/next", { query: { cursor: next.cursor, threshold }, signal: abort.signal })
          : await this.page({ k: FIRST, page: next.page }, abort);
        const known = new Set(this.grid.entries.map((each) => each.item));
        this.grid.add(answer.hits.filter((hit) => !known.has(hit.item)).map(entry));
        this.next = answer.cursor ? { cursor: answer.cursor } : null;
      }
      this.done = !this.next;
    } catch (error) {
      if (error.name !== "AbortError") this.failed(error);
    } finally {
      if (this.abort === abort) this.loading = false;
    }
    this.grid.draw();
  }

  failed(error) {
    this.done = true;
    if (error.status === 401) return;
    this.grid.set([]);
    fill(this.answerNode);
    this.state(error.type === "LibraryNotFound" ? "empty" : "error", error);
  }

  // What stands where no pictures are.
  state(kind, error) {
    const node = this.stateNode;
    node.hidden = !kind;
    node.className = `state ${kind}`;
    if (!kind) return;
    const again = (settings) => el(
      "button", { type: "button", class: "main", onclick: () => { Object.assign(this.settings, settings); this.search(this.asked); this.changed?.(); } },
      "Show the nearest all the same",
    );
    const states = {
      nothing: () => [el("h2", {}, "Nothing here looks like that"), el("p", {}, "No picture of this library is likely to be what you mean."), ...this.suggestions(), again({ threshold: "none" })],
      none: () => [el("h2", {}, "No picture fits"), ...this.answer.notes.map((note) => el("p", {}, note)), ...this.suggestions(), this.answer.searched ? again({ threshold: "none" }) : null],
      empty: () => [el("h2", {}, "This library is empty"), el("p", {}, "Index a folder, here under Library or with "), el("code", {}, "retrieval index ~/Pictures")],
      error: () => [el("h2", {}, "That did not work"), el("p", {}, error.message), error.place ? this.pointed(error) : null],
    };
    fill(node, ...states[kind]());
  }

  pointed({ place: [first, last] }) {
    const text = this.asked.q;
    return el("p", { class: "pointed" }, text.slice(0, first), el("mark", {}, text.slice(first, last) || " "), text.slice(last));
  }
}
