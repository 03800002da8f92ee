// Why a picture is among the results, or why not, and where it looks like the search.

import { ask } from "./api.js";
import { $, button, el, fill } from "./dom.js";
import { known, said, t } from "./words.js";

export function reasons(viewer, query) {
  const body = el("div", {});
  fill(body, el("div", { class: "actions" }, button({ onclick: () => explain(viewer, query, body) }, t("whyButton"))));
  return viewer.section(t("whyTitle"), body);
}

async function explain(viewer, query, body) {
  fill(body, el("p", { class: "hint" }, t("loading")));
  try {
    const told = (part) => part.share >= 0.03; // words such as "the" add nothing
    const why = await ask("v1/why", { query: { q: query, item: viewer.item } });
    const where = button({ "aria-pressed": "false", onclick: () => heat(viewer, query, where) }, t("showWhere"));
    fill(body,
      el("p", {}, t("whyRank", { rank: why.rank, total: why.searched, how: t(`a_${why.reading.band}`) })),
      why.parts.length > 1 ? el("h3", {}, t("whyParts")) : null,
      ...(why.parts.length > 1 ? why.parts.filter(told).map((part) => meter(part.part, part.share)) : []),
      why.sources.length ? el("h3", {}, t("whySources")) : null,
      ...why.sources.map((source) => el("div", {}, meter(known(`source_${source.source}`) ? t(`source_${source.source}`) : source.source, source.share),
        ...source.matched.slice(0, 3).map((line) => el("p", { class: "hint" }, line)))),
      ...why.filters.map((check) => el("p", { class: "hint" }, t(check.passes ? "whyFilterPasses" : "whyFilterFails", check))),
      ...why.notes.map(said).filter(Boolean).map((note) => el("p", { class: "note" }, note)),
      el("div", { class: "actions" }, where));
  } catch (error) { await whyNot(viewer, query, body, error); }
}

async function whyNot(viewer, query, body, error) {
  try {
    const found = await ask("v1/why-not", { query: { q: query, item: viewer.item } });
    const change = (each) => t("wouldBe", { what: each.query || said(each.what), rank: each.rank });
    fill(body, el("p", {}, `${t("notAHit")} ${known(`not_${found.standing}`) ? t(`not_${found.standing}`) : ""}`),
      ...found.filters.filter((check) => !check.passes).map((check) => el("p", { class: "hint" }, t("whyFilterFails", check))),
      ...found.changes.filter((each) => each.query).map((each) => el("p", {}, button({ class: "suggestion", onclick: () => viewer.leave(each.query) }, change(each)))));
  } catch { fill(body, el("p", { class: "error" }, error.message)); }
}

function meter(label, share) {
  const bar = el("span", { class: "bar" });
  bar.style.width = `${Math.max(2, 100 * share)}%`;
  return el("div", { class: "meter" }, el("span", { title: label }, label), el("span", { class: "track" }, bar), el("span", { class: "number" }, `${Math.round(100 * share)} %`));
}

async function heat(viewer, query, button) {
  const old = $("canvas", viewer.frame);
  const pressed = (on) => { button.setAttribute("aria-pressed", String(on)); button.textContent = t(on ? "hideWhere" : "showWhere"); };
  if (old) { old.remove(); pressed(false); return; }
  button.disabled = true;
  button.textContent = t("findingWhere");
  try {
    const { heat } = await ask("v1/why", { query: { q: query, item: viewer.item, heat: true } });
    const values = heat.flat(), low = Math.min(...values), high = Math.max(...values);
    const canvas = el("canvas", { width: heat[0].length, height: heat.length, role: "img", "aria-label": t("heatLabel") });
    const pixels = new ImageData(heat[0].length, heat.length);
    values.forEach((value, place) => {
      const cold = 1 - (value - low) / (high - low || 1); // what looks least like it is darkest
      pixels.data.set([10, 12, 20, 215 * cold ** 1.6], 4 * place);
    });
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    viewer.frame.append(canvas);
    pressed(true);
  } catch (error) {
    button.after(el("p", { class: "error" }, error.message));
    pressed(false);
  }
  button.disabled = false;
}
