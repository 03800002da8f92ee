// A dialog with a title and a button that closes it; a click beside it closes it, too.

import { button, el, fill } from "./dom.js";
import { t } from "./words.js";

export function panel(dialog, title, ...children) {
  fill(dialog, el("div", { class: "panel-top" }, el("h2", { id: "panel-head" }, title),
    button({ class: "quiet", "aria-label": t("close"), onclick: () => dialog.close() }, "×")), ...children);
  if (dialog.open) return;
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  dialog.showModal();
}
