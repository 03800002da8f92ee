// Suggestions under the search box: earlier searches, names, values that the library has, and filters.

import { ask } from "./api.js";
import { el, fill } from "./dom.js";
import { t } from "./words.js";

const VALUED = { camera: "camera", city: "city", country: "country", place: "country", year: "year", type: "type" };
const MOST = 8, RECENT = 30;
const quoted = (value) => (/\s/.test(value) ? `"${value}"` : value);

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
    if (!this.tokens.length) this.tokens = (await ask("v1/language")).tokens; // they do not change
    if (document.activeElement === this.input && this.input.value) this.open();
  }

  recent() {
    try { return JSON.parse(localStorage.getItem("recent")) ?? []; } catch { return []; }
  }

  // Keeps a search that was entered, for this browser alone.
  keep(query) {
    if (query) localStorage.setItem("recent", JSON.stringify([query, ...this.recent().filter((each) => each !== query)].slice(0, RECENT)));
  }

  // The word that the cursor stands in.
  word() {
    const end = this.input.selectionStart;
    const start = this.input.value.slice(0, end).search(/[^\s(]*$/);
    return { start, end, text: this.input.value.slice(start, end) };
  }

  suggested() {
    const whole = this.input.value.trim().toLowerCase(), { text } = this.word();
    const bare = text.replace(/^-/, ""), sign = text.startsWith("-") ? "-" : "";
    if (bare.startsWith("@")) {
      return [...Object.keys(this.names.saved ?? {}), ...Object.keys(this.names.taught ?? {})]
        .filter((name) => name.startsWith(bare.slice(1)))
        .map((name) => ({ text: `${sign}@${name} `, about: this.names.saved?.[name] ?? t("taughtWord") }));
    }
    const [token, value] = bare.split(/:(.*)/s);
    const values = (name, start) => (this.facets()?.[VALUED[name]] ?? [])
      .filter(([each]) => each.toLowerCase().split(/\s+/).some((part) => part.startsWith(start)) || each.toLowerCase().startsWith(start))
      .map(([each, number]) => ({ text: `${sign}${name}:${quoted(each)} `, about: t("countOf", { count: number }) }));
    if (value !== undefined) return values(token, value.replace(/^"/, "").toLowerCase());
    const earlier = this.recent().filter((each) => each.toLowerCase().startsWith(whole) && each.toLowerCase() !== whole)
      .slice(0, whole ? 3 : MOST).map((each) => ({ text: each, whole: true, about: t("recent") }));
    if (bare.length < 2) return earlier;
    const start = bare.toLowerCase();
    const names = [...Object.keys(this.names.saved ?? {}), ...Object.keys(this.names.taught ?? {})].filter((name) => name.toLowerCase().startsWith(start));
    const filters = this.tokens.filter((each) => each.name.startsWith(start)).map((each) => ({ text: `${sign}${each.name}:`, about: each.example }));
    return [
      ...earlier, ...names.map((name) => ({ text: `${sign}@${name} `, about: this.names.saved?.[name] ? t("savedSearch") : t("taughtWord") })),
      ...["city", "country", "camera"].flatMap((name) => values(name, start)).slice(0, 3), ...filters,
    ];
  }

  open() {
    const found = this.suggested().slice(0, MOST);
    this.at = -1;
    this.list.hidden = !found.length;
    this.input.setAttribute("aria-expanded", String(Boolean(found.length)));
    this.input.removeAttribute("aria-activedescendant");
    fill(this.list, ...found.map(({ text, about, whole }, place) =>
      el("li", { id: `hint-${place}`, role: "option", "aria-selected": "false", "data-text": text, "data-whole": whole }, el("b", {}, text.trim()), el("span", {}, about))));
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }

  take(option) {
    const { start, end } = this.word(), { text, whole } = option.dataset;
    if (whole !== undefined) this.input.value = text;
    else this.input.setRangeText(text, start, end, "end");
    this.close();
    this.picked();
    if (text.endsWith(":")) this.open();
  }

  key(event) {
    const options = [...this.list.children];
    if (event.key === "Escape" && !this.list.hidden) { this.close(); event.stopPropagation(); event.preventDefault(); return; }
    if (event.key === "ArrowDown" && this.list.hidden) { this.open(); event.preventDefault(); return; }
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
