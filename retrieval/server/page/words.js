// Every sentence of the page comes from a file of one language in words/; another language is another file, and a line here.

import de from "./words/de.js";
import en from "./words/en.js";

export const LANGUAGES = { en, de };

function chosen() {
  const wanted = [localStorage.getItem("language"), ...navigator.languages].filter(Boolean).map((tag) => tag.slice(0, 2));
  return wanted.find((tag) => LANGUAGES[tag]) ?? "en";
}

export const language = chosen();
const words = LANGUAGES[language], rules = new Intl.PluralRules(language);

// t("pictures", {count: 3}): the sentence with its values; of a sentence with several forms, the one that fits `count`.
export function t(key, values = {}) {
  const found = words[key];
  const text = typeof found === "object" ? found[rules.select(values.count)] ?? found.other : found;
  if (text === undefined) throw new Error(`no words for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? count(values[name]) : String(values[name] ?? "")));
}

export const known = (key) => key in words;
export const count = (number) => number.toLocaleString(language);

// What the server says, in plain words of this language: remarks on options of the command line and on paths are for others.
export function said(text) {
  for (const [pattern, sentence] of words.server) {
    const match = text.match(pattern);
    if (match) return sentence.replace(/\$(\d)/g, (_, place) => match[place] ?? "");
  }
  const clauses = text.split(/;\s+/).filter((clause) => !/(^|[\s(`])--?[a-z]|`retrieval |retrieval [a-z-]+ |(^|\s)\/\w+\/|log says/.test(clause));
  const kept = clauses.join("; ").replace(/\s*\((--|`)[^)]*\)/g, "");
  return kept ? kept[0].toUpperCase() + kept.slice(1) + (/[.!?]$/.test(kept) ? "" : ".") : "";
}

// Puts words into the parts of a document that name them: data-t for the text, data-t-title and so on for attributes.
export function translate(root) {
  document.documentElement.lang = language;
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const name of ["title", "aria-label", "placeholder"]) {
    for (const node of root.querySelectorAll(`[data-t-${name}]`)) node.setAttribute(name, t(node.getAttribute(`data-t-${name}`)));
  }
}
