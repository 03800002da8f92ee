// The side: how answers are shown, facets to narrow them, saved searches and taught words, the time line.

import { ask } from "./api.js";
import { $, button, el, fill, monthName } from "./dom.js";
import { confirmed, toast } from "./talk.js";
import { count, t } from "./words.js";

const quoted = (value) => (/[\s()"]/.test(value) ? `"${value}"` : value);
const FACETS = {
  year: (value) => `on:${value}`,
  camera: (value) => `camera:${quoted(value)}`,
  country: (value) => `country:${quoted(value)}`,
  city: (value) => `city:${quoted(value)}`,
  type: (value) => `type:${quoted(value)}`,
  folder: (value) => `path:${quoted(`**/${value}/**`)}`,
};
const FIRST = 6, MOST = 60; // values of a facet that are seen at once, and at all

// Choices of one column; `changed` is called after each.
export function options(settings, changed, head) {
  const choose = (label, key, values) => {
    const select = el("select", { onchange: () => { settings[key] = select.value; changed(); } },
      ...values.map(([value, text]) => el("option", { value, selected: settings[key] === value }, t(text))));
    return el("label", {}, t(label), select);
  };
  const check = (label, key) => el("label", { class: "check" },
    el("input", { type: "checkbox", checked: settings[key], onchange: (event) => { settings[key] = event.target.checked; changed(); } }), t(label));
  return [
    el("h2", {}, head),
    choose("order", "order", [["score", "bestFirst"], ["date", "newestFirst"], ["diverse", "mostVaried"]]),
    choose("show", "threshold", [["strong", "onlyStrong"], ["likely", "likelyOnes"], ["weak", "allMatches"], ["none", "always"]]),
    check("foldOption", "fold"),
    check("rerankOption", "rerank"),
  ];
}

export function facets(found, query, narrow, alike) {
  const sections = Object.entries(FACETS).map(([key, token]) => {
    const values = found?.[key] ?? [];
    if (!values.length || (values.length === 1 && key === "type" && !query.includes(token(values[0][0])))) return null;
    const choice = ([value, number]) => {
      const text = token(value), active = query.includes(text);
      return button({ class: "facet", "aria-pressed": String(active), onclick: () => narrow(text, !active) },
        el("span", {}, value), el("span", { class: "number" }, count(number)));
    };
    const rest = values.slice(FIRST);
    return el("details", { open: key === "year" || key === "folder" || values.length < 7 }, el("summary", {}, t(key)),
      ...values.slice(0, FIRST).map(choice),
      rest.length ? el("details", { class: "more" }, el("summary", {}, t("more", { count: rest.length })), ...rest.slice(0, MOST).map(choice)) : null);
  });
  fill($("#facets"), alike ? el("p", { class: "hint" }, t("mostAlike", { count: alike })) : null, ...sections);
}

export function names(found, { insert, open, save, canWrite, changed }) {
  const path = (name) => `v1/names/${encodeURIComponent(name)}`;
  const forget = async (name, query) => {
    if (query === null && !(await confirmed(t("forgetTaught", { name })))) return;
    await ask(path(name), { method: "DELETE" });
    changed();
    const undo = query === null ? {} : { label: t("undo"), act: () => ask(path(name), { method: "PUT", body: { query } }).then(changed) };
    toast(t("forgotten", { name }), undo);
  };
  const row = (name, about, act, query) => el("div", { class: "named" },
    button({ class: "facet", title: about, onclick: act }, el("span", {}, `@${name}`)),
    canWrite ? button({ class: "forget", "aria-label": t("forget", { name }), onclick: () => forget(name, query) }, "×") : null);
  const saved = Object.entries(found.saved), taught = Object.entries(found.taught);
  fill($("#names"),
    el("h2", {}, t("savedTitle")),
    ...saved.map(([name, query]) => row(name, query, () => open(name), query)),
    ...taught.map(([name, [yes, no]]) => row(name, t("taughtWith", { yes, no }), () => insert(`@${name}`), null)),
    saved.length + taught.length ? null : el("p", { class: "hint" }, t("savedHint")),
    canWrite ? button({ class: "quiet", onclick: save }, t("saveThis")) : null);
}

export function timeline(months, jump) {
  const dated = months.filter(([month]) => month);
  if (dated.length < 2) return fill($("#timeline"));
  const most = Math.max(10, ...dated.map(([, number]) => number));
  const years = new Map();
  for (const [month, number] of dated) {
    const year = month.slice(0, 4);
    years.set(year, [...(years.get(year) ?? []), [month, number]]);
  }
  const bar = ([month, number]) => {
    const length = el("span", { class: "bar" });
    length.style.width = `${Math.max(3, (100 * Math.sqrt(number)) / Math.sqrt(most))}%`;
    const title = t("untilMonth", { month: monthName(month) });
    return button({ class: "month", title, "aria-label": `${t("inMonth", { count: number, month: monthName(month) })}. ${title}`, onclick: () => jump(month) },
      el("span", { class: "label" }, monthName(month, "short")), el("span", { class: "track" }, length), el("span", { class: "number" }, count(number)));
  };
  return fill($("#timeline"), el("h2", {}, t("timeline")),
    ...[...years].map(([year, some], place) => el("details", { open: place < 1 }, el("summary", {}, year), ...some.map(bar))));
}
