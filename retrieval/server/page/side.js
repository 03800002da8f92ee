// The side: how answers are shown, facets to narrow them, saved searches and taught words, the time line.

import { ask } from "./api.js";
import { $, count, el, fill } from "./dom.js";

const quoted = (value) => (/[\s()"]/.test(value) ? `"${value}"` : value);
const FACETS = {
  year: ["Years", (value) => `on:${value}`],
  camera: ["Cameras", (value) => `camera:${quoted(value)}`],
  country: ["Countries", (value) => `country:${quoted(value)}`],
  city: ["Towns", (value) => `city:${quoted(value)}`],
  type: ["Types", (value) => `type:${quoted(value)}`],
  folder: ["Folders", (value) => `path:${quoted(`**/${value}/**`)}`],
};

// Choices of one column; `changed` is called after each.
export function options(settings, changed, head = "Answers") {
  const choose = (label, key, values) => {
    const select = el("select", { onchange: () => { settings[key] = select.value; changed(); } },
      ...values.map(([value, text]) => el("option", { value, selected: settings[key] === value }, text)));
    return el("label", {}, label, select);
  };
  const check = (label, key) => el("label", { class: "check" },
    el("input", { type: "checkbox", checked: settings[key], onchange: (event) => { settings[key] = event.target.checked; changed(); } }), label);
  return [
    el("h2", {}, head),
    choose("Order", "order", [["score", "best first"], ["date", "newest first"], ["diverse", "most varied"]]),
    choose("Show", "threshold", [["strong", "strong matches"], ["likely", "likely ones"], ["weak", "all that match"], ["none", "always the nearest"]]),
    check("Group near-duplicates", "fold"),
    check("Let the model check the best", "rerank"),
  ];
}

export function facets(found, query, narrow) {
  const sections = Object.entries(FACETS).map(([key, [title, token]]) => {
    const values = found?.[key] ?? [];
    if (!values.length || (values.length === 1 && !query.includes(token(values[0][0])))) return null;
    const button = ([value, number]) => {
      const text = token(value), active = query.includes(text);
      return el("button", { type: "button", class: "facet", "aria-pressed": String(active), onclick: () => narrow(text, !active) },
        el("span", {}, value), el("span", { class: "number" }, count(number)));
    };
    const rest = values.slice(6);
    return el("details", { open: key === "year" || key === "folder" || values.length < 7 }, el("summary", {}, title),
      ...values.slice(0, 6).map(button),
      rest.length ? el("details", { class: "more" }, el("summary", {}, `${rest.length} more`), ...rest.slice(0, 60).map(button)) : null);
  });
  const any = sections.some(Boolean);
  fill($("#facets"), any && query ? el("p", { class: "hint" }, "Counts of the likely hits") : null, ...sections);
}

export function names(found, { insert, open, save, canWrite, changed }) {
  const row = (name, about, act) => el("div", { class: "named" },
    el("button", { type: "button", class: "facet", title: about, onclick: act }, el("span", {}, `@${name}`)),
    canWrite ? el("button", { type: "button", class: "forget", "aria-label": `Forget @${name}`, onclick: async () => {
      if (!confirm(`Forget @${name}?`)) return;
      await ask(`/v1/names/${encodeURIComponent(name)}`, { method: "DELETE" });
      changed();
    } }, "×") : null);
  const saved = Object.entries(found.saved), taught = Object.entries(found.taught);
  fill($("#names"),
    el("h2", {}, "Saved and taught"),
    ...saved.map(([name, query]) => row(name, query, () => open(name))),
    ...taught.map(([name, [yes, no]]) => row(name, `taught with ${yes} examples and ${no} counterexamples`, () => insert(`@${name}`))),
    saved.length + taught.length ? null : el("p", { class: "hint" }, "Save a search under a name, or teach a word with example pictures."),
    canWrite ? el("button", { type: "button", class: "quiet", onclick: save }, "Save this search") : null);
}

export function timeline(months, jump) {
  const dated = months.filter(([month]) => month);
  if (dated.length < 2) return fill($("#timeline"));
  const most = Math.max(...dated.map(([, number]) => number));
  const years = new Map();
  for (const [month, number] of dated) {
    const year = month.slice(0, 4);
    years.set(year, [...(years.get(year) ?? []), [month, number]]);
  }
  const bar = ([month, number]) => {
    const fillBar = el("span", { class: "bar" });
    fillBar.style.width = `${Math.max(3, (100 * Math.sqrt(number)) / Math.sqrt(most))}%`;
    const shown = new Date(`${month}-15`).toLocaleString("en", { month: "short" });
    return el("button", { type: "button", class: "month", title: `${number} in ${month}`, onclick: () => jump(month) },
      el("span", { class: "label" }, shown), el("span", { class: "track" }, fillBar), el("span", { class: "number" }, count(number)));
  };
  return fill($("#timeline"), el("h2", {}, "Time line"),
    ...[...years].map(([year, some], place) => el("details", { open: place < 2 }, el("summary", {}, year), ...some.map(bar))));
}
