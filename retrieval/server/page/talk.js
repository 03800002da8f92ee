// Short talks with the user: a message that goes by itself, a question with two answers, a line to fill in.

import { button, el, fill } from "./dom.js";
import { t } from "./words.js";

let timer;

// A message at the bottom, for some seconds, perhaps with something to do: toast("Removed.", {undo: () => …})
export function toast(text, { label, act } = {}) {
  const node = home();
  clearTimeout(timer);
  fill(node, el("span", {}, text), act ? button({ onclick: () => { node.hidden = true; act(); } }, label) : null);
  node.hidden = false;
  timer = setTimeout(() => (node.hidden = true), act ? 9000 : 3500);
}

// A dialog covers the page, so that a message must stand in it.
function home() {
  const inside = document.querySelector("dialog[open]") ?? document.body;
  const known = inside.querySelector(":scope > .toast");
  if (known) return known;
  const node = el("div", { class: "toast", role: "status", hidden: true });
  inside.append(node);
  return node;
}

// Asks in a dialog of its own; gives what `answered` makes of it, or null.
function ask(title, body, yes, answered) {
  return new Promise((resolve) => {
    let given = null;
    const dialog = el("dialog", { class: "talk", "aria-label": title },
      el("form", { method: "dialog", onsubmit: () => (given = answered()) }, el("h2", {}, title), ...body,
        el("div", { class: "actions" }, el("button", { class: "main" }, yes), button({ onclick: () => dialog.close() }, t("cancel")))));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(given); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export const confirmed = (text, yes = t("ok")) => ask(text, [], yes, () => true);

// A name: what names cannot have becomes a hyphen while one types.
export function named(title, label, hint, yes) {
  const field = el("input", { type: "text", required: true, maxlength: "64", "aria-label": label });
  const about = el("p", { class: "hint" }, hint("…"));
  field.addEventListener("input", () => {
    field.value = field.value.replace(/^@/, "").replace(/[^\p{L}\p{N}_-]+/gu, "-");
    about.textContent = hint(field.value || "…");
  });
  return ask(title, [el("label", {}, label, field), about], yes, () => field.value.replace(/^-+|-+$/g, "") || null);
}
