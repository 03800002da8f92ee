// Teaching a word: this picture shows it, or does not.

import { ask } from "./api.js";
import { button, el } from "./dom.js";
import { t } from "./words.js";

export function teaching(viewer) {
  const told = el("p", { class: "hint", role: "status" }, t("teachHint"));
  const field = el("input", { type: "text", maxlength: "64", placeholder: t("teachExample"), "aria-label": t("teachField") });
  field.value = localStorage.getItem("teaching") ?? "";
  field.addEventListener("input", () => (field.value = field.value.replace(/^@/, "").replace(/[^\p{L}\p{N}_-]+/gu, "-")));
  const teach = async (shows) => {
    const word = field.value.replace(/^-+|-+$/g, "");
    if (!word) { field.focus(); return; }
    localStorage.setItem("teaching", word);
    try {
      const body = { [shows ? "yes" : "no"]: [viewer.item] };
      const found = await ask(`v1/names/${encodeURIComponent(word)}/examples`, { method: "POST", body });
      told.textContent = t("taught", { word, yes: found.yes, no: found.no });
      viewer.taught();
    } catch (error) { told.textContent = error.message; }
  };
  return viewer.section(t("teachTitle"), el("form", { class: "line", onsubmit: (event) => { event.preventDefault(); teach(true); } }, field,
    el("button", {}, t("teachYes")), button({ onclick: () => teach(false) }, t("teachNo"))), told);
}
