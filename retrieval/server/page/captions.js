// The captions of one picture: shown, written, suggested by a model, removed, and never lost.

import { ask } from "./api.js";
import { button, el, fill } from "./dom.js";
import { toast } from "./talk.js";
import { t } from "./words.js";

const drafts = new Map(); // what was typed and not saved, by item: closing the picture does not lose it

export function captions(viewer, found, writes) {
  const { item } = found, path = `v1/items/${item}/caption`;
  const list = el("div"), error = el("p", { class: "error", role: "alert", hidden: true });
  const field = el("textarea", { rows: 2, maxlength: "2000", "aria-label": t("captionField"), oninput: () => drafts.set(item, field.value) });
  const form = el("form", { hidden: true, onsubmit: (event) => { event.preventDefault(); save(mine()); } }, field,
    el("div", { class: "actions" }, el("button", { class: "main" }, t("keep")), button({ onclick: () => { drafts.delete(item); leave(); } }, t("cancel"))));
  const mine = () => found.texts.find((each) => each.source === "edited")?.text ?? "";
  const fail = (...words) => { error.hidden = !words.length; fill(error, ...words); };

  const row = (each) => el("p", { class: "caption" }, el("span", {}, each.text),
    el("span", { class: "source", title: each.model ?? "" }, each.note ?? t(`by_${each.source}`)),
    writes && each.source === "edited" ? el("span", { class: "actions" }, button({ onclick: () => edit(mine()) }, t("editCaption")), button({ onclick: remove }, t("removeCaption"))) : null);
  const draw = () => {
    fill(list, ...found.texts.map(row), found.texts.length ? null : el("p", { class: "hint" }, t("noCaptions")));
    start.hidden = Boolean(mine()) || !form.hidden;
  };
  const edit = (text) => {
    field.value = drafts.get(item) ?? text;
    form.hidden = false;
    start.hidden = true;
    field.focus();
  };
  const leave = () => { form.hidden = true; fail(); draw(); };

  const save = async (known, text = field.value) => {
    fail();
    if (!text.trim()) { fail(t("writeSomething")); return; }
    try {
      found.texts = (await ask(path, { method: "PUT", body: { text, known } })).texts;
      drafts.delete(item);
      leave();
    } catch (failure) {
      if (failure.type === "Changed") await changed();
      else fail(failure.message);
    }
  };

  // Someone else was faster: both texts are shown, and one is chosen.
  const changed = async () => {
    found.texts = (await ask(`v1/items/${item}`)).texts;
    draw();
    const now = mine();
    fail(now ? t("captionChanged", { text: now }) : t("captionGone"), el("span", { class: "actions" },
      button({ onclick: () => save(now) }, t("keepMine")), button({ onclick: () => { drafts.delete(item); leave(); } }, t("keepTheirs"))));
  };

  const remove = async () => {
    const text = mine();
    try {
      found.texts = (await ask(path, { method: "DELETE", query: { known: text } })).texts;
      draw();
      toast(t("captionRemoved"), { label: t("undo"), act: () => save("", text) });
    } catch (failure) {
      if (failure.type === "Changed") { found.texts = (await ask(`v1/items/${item}`)).texts; draw(); }
      else fail(failure.message);
    }
  };

  const suggest = async () => {
    generate.disabled = true;
    generate.textContent = t("generating");
    try {
      const { text, model } = await ask("v1/caption", { method: "POST", body: viewer.form() });
      if (writes) { drafts.set(item, text); edit(text); }
      else list.append(row({ text, model, note: t("byModelNow") }));
    } catch (failure) { fail(failure.message); }
    generate.disabled = false;
    generate.textContent = t("generate");
  };

  const start = button({ hidden: true, onclick: () => edit("") }, t("writeCaption"));
  const generate = button({ onclick: suggest }, t("generate"));
  draw();
  start.hidden = !writes || Boolean(mine());
  if (writes && drafts.has(item)) queueMicrotask(() => edit(mine()));
  beneath(viewer, list, row, found);
  return viewer.section(t("captions"), list, form, error, el("div", { class: "actions" }, writes ? start : null, generate));
}

// Captions of the pictures that are folded under this one belong to what is seen here, too.
async function beneath(viewer, list, row, found) {
  const known = new Set(found.texts.map((each) => each.text));
  for (const other of await viewer.beneath()) {
    for (const each of other.texts) {
      if (known.has(each.text)) continue;
      known.add(each.text);
      list.querySelector(".hint")?.remove();
      list.append(row({ ...each, source: "", note: t("ofSimilar") }));
    }
  }
}
