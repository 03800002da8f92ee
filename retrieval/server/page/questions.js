// Questions on one picture, as far as the model of the library can answer them, and where it shows something.

import { ask, stream } from "./api.js";
import { $, button, el, svg } from "./dom.js";
import { t } from "./words.js";

export function questions(viewer, caller) {
  const can = (ability) => !caller.abilities || caller.abilities.includes(ability);
  if (!can("answer") && !can("ground")) return null;
  const closed = caller.abilities && !caller.abilities.includes("count"); // yes-or-no questions alone
  const answers = el("div", { "aria-live": "polite" });
  const field = el("input", { type: "text", maxlength: "500", placeholder: t(closed ? "askYesNoHint" : "askHint"), "aria-label": t("askField") });
  const busy = async (work, text) => {
    if (!text) { field.focus(); return; }
    const block = el("div", { class: "said" }, el("b", {}, text), "…");
    answers.prepend(block);
    try { block.lastChild.replaceWith(await work(text, block)); }
    catch (error) { block.lastChild.replaceWith(el("span", { class: "error" }, error.message)); }
  };
  const question = async (text, block) => {
    let told = "";
    for await (const { event, data } of stream("v1/ask/stream", { method: "POST", body: viewer.form({ question: text }) })) {
      if (event === "text") block.lastChild.replaceWith(document.createTextNode((told += data)));
      if (event === "answer") told = data.answer;
    }
    return told;
  };
  const where = async (text) => {
    const { boxes } = await ask("v1/ground", { method: "POST", body: viewer.form({ phrase: text }) });
    draw(viewer.frame, boxes);
    return boxes.length ? t("foundPlaces", { count: boxes.length }) : t("foundNowhere");
  };
  const form = el("form", { class: "line", onsubmit: (event) => { event.preventDefault(); busy(can("answer") ? question : where, field.value.trim()); } }, field,
    can("answer") ? el("button", {}, t("askButton")) : null,
    can("ground") ? button({ onclick: () => busy(where, field.value.trim()) }, t("find")) : null);
  return viewer.section(t(closed ? "askYesNoTitle" : "askTitle"), form, answers);
}

function draw(frame, boxes) {
  $("svg", frame)?.remove();
  frame.append(svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", role: "img", "aria-label": t("boxesLabel") },
    ...boxes.map((box) => svg("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }))));
}
