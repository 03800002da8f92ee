// Suggestions under the search box: tokens of the query language, names, and values that the library has.

import { ask } from "./api.js";
import { el, fill } from "./dom.js";

const VALUED = { camera: "camera", city: "city", country: "country", place: "country" };

export class Hints {
  constructor(input, list, { facets, picked }) {
    Object.assign(this, { input, list, facets, picked, at: -1, tokens: [], names: {} });
    input.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    list.addEventListener("mousedown", (event) => {
      const option = event.target.closest("li");
      if (option) { event.preventDefault(); this.take(option); }
    });
  }

  async load(names) {
    this.names = names;
    if (!this.tokens.length) this.tokens = (await ask("/v1/language")).tokens; // they do not change
    if (document.activeElement === this.input) this.open();
  }

  // The word that the cursor stands in.
  word() {
    const end = this.input.selectionStart;
    const start = this.input.value.slice(0, end).search(/[^\s(]*$/);
    return { start, end, text: this.input.value.slice(start, end) };
  }

  suggested() {
    const { text } = this.word();
    const bare = text.replace(/^-/, ""), sign = text.startsWith("-") ? "-" : "";
    if (bare.startsWith("@")) {
      return [...Object.keys(this.names.saved ?? {}), ...Object.keys(this.names.taught ?? {})]
        .filter((name) => name.startsWith(bare.slice(1)))
        .map((name) => ({ text: `${sign}@${name} `, about: this.names.saved?.[name] ?? "a taught word" }));
    }
    const [token, value] = bare.split(/:(.*)/s);
    if (value !== undefined) {
      const known = this.facets()?.[VALUED[token]] ?? [];
      return known
        .filter(([each]) => each.toLowerCase().startsWith(value.replace(/^"/, "").toLowerCase()))
        .map(([each, number]) => ({ text: `${sign}${token}:${/\s/.test(each) ? `"${each}"` : each} `, about: `${number}` }));
    }
    if (bare.length < 2) return [];
    return this.tokens
      .filter((each) => each.name.startsWith(bare.toLowerCase()) )
      .map((each) => ({ text: `${sign}${each.name}:`, about: `${each.meaning} (${each.example})` }));
  }

  open() {
    const found = this.suggested().slice(0, 8);
    this.at = -1;
    this.list.hidden = !found.length;
    this.input.setAttribute("aria-expanded", String(Boolean(found.length)));
    this.input.removeAttribute("aria-activedescendant");
    fill(this.list, ...found.map(({ text, about }, place) =>
      el("li", { id: `hint-${place}`, role: "option", "aria-selected": "false", "data-text": text }, el("b", {}, text.trim()), el("span", {}, about))));
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }

  take(option) {
    const { start, end } = this.word(), text = option.dataset.text;
    this.input.setRangeText(text, start, end, "end");
    this.close();
    this.picked();
    if (text.endsWith(":")) this.open();
  }

  key(event) {
    const options = [...this.list.children];
    if (event.key === "Escape" && !this.list.hidden) { this.close(); event.stopPropagation(); event.preventDefault(); return; }
    if (this.list.hidden || !options.length) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.at = (this.at + step + options.length + (this.at < 0 && step < 0 ? 1 : 0)) % options.length;
      options.forEach((option, place) => option.setAttribute("aria-selected", String(place === this.at)));
      this.input.setAttribute("aria-activedescendant", `hint-${this.at}`);
      event.preventDefault();
    } else if ((event.key === "Enter" || event.key === "Tab") && this.at >= 0) {
      this.take(options[this.at]);
      event.preventDefault();
    }
  }
}
