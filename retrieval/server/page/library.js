// The library: what it holds, adding photos, and the files that could not be used.

import { ask } from "./api.js";
import { button, bytes, el, fill, name } from "./dom.js";
import { drawn, jobs, start } from "./jobs.js";
import { panel } from "./panel.js";
import { count, known, language, LANGUAGES, said, t } from "./words.js";

const MOST = 200; // problems that are listed

export async function library(dialog, { leave }) {
  const status = await ask("v1/status"), { caller } = status;
  const rules = caller.scope === "admin" && !caller.folder;
  const [{ problems }, roots] = await Promise.all([ask("v1/problems"), rules ? ask("v1/roots") : { roots: {} }]);
  const names = Object.keys(roots.roots);
  const work = el("div", { "aria-live": "polite" }), error = el("p", { class: "error", role: "alert", hidden: true });
  const act = (root, retry) => start(root, retry).catch((failure) => { error.hidden = false; error.textContent = failure.message; });
  const choices = names.map((root) => button({ class: "main", onclick: () => act(root, false) }, t("indexFolder", { name: root })));
  const draw = () => {
    const running = jobs.latest?.state === "running";
    for (const choice of choices) choice.disabled = running;
    if (running) error.hidden = true;
    fill(work, jobs.latest ? drawn(jobs.latest) : null);
  };
  const again = () => { if (dialog.open) library(dialog, { leave }); };
  jobs.addEventListener("change", draw);
  jobs.addEventListener("end", again);
  dialog.addEventListener("close", () => { jobs.removeEventListener("change", draw); jobs.removeEventListener("end", again); }, { once: true });
  panel(dialog, t("library"),
    rules ? el("section", {}, el("h3", {}, t("addPhotos")), names.length ? el("div", { class: "actions" }, ...choices) : el("p", { class: "hint" }, t("noFolders")), work, error) : null,
    el("section", {}, el("h3", {}, t("about")), facts(status, rules)),
    el("section", {}, el("h3", {}, t("problems")), ...(problems.length ? table(problems, rules ? names : [], act) : [el("p", { class: "hint" }, t("noProblems"))])),
    el("p", { class: "foot" }, languages(), el("a", { href: "docs" }, t("apiLink")),
      caller.name === "anyone" ? null : button({ class: "quiet", onclick: leave }, t("logOut"))));
  draw();
}

function facts({ items, pictures, texts, serving, caller, bytes: size, roots }, rules) {
  const rows = {
    files: items === pictures ? count(items) : t("row_different", { files: count(items), different: count(pictures) }),
    texts: texts ? count(texts) : "",
    model: serving ? serving.model : t("noModel"), vlm: caller.vlm, size: size ? bytes(size) : "",
    folders: rules ? roots.join("\n") : roots.map(name).join("\n"),
    access: caller.folder ? t("accessFolder") : t(`access_${caller.scope}`),
  };
  return el("table", {}, ...Object.entries(rows).filter(([, value]) => value)
    .map(([key, value]) => el("tr", {}, el("th", { scope: "row" }, t(`row_${key}`)), el("td", {}, value))));
}

function table(problems, names, act) {
  const row = (problem) => el("tr", {}, el("td", { title: problem.path }, name(problem.path)),
    el("td", { title: problem.message }, known(`reason_${problem.reason}`) ? t(`reason_${problem.reason}`) : said(problem.message)));
  return [
    el("table", {}, el("tr", {}, el("th", {}, t("problemFile")), el("th", {}, t("problemWhy"))), ...problems.slice(0, MOST).map(row)),
    problems.length > MOST ? el("p", { class: "hint" }, t("andMore", { count: problems.length - MOST })) : null,
    names.length ? el("div", { class: "actions" }, ...names.map((root) => button({ onclick: () => act(root, true) }, t("retryFolder", { name: root })))) : null,
  ];
}

function languages() {
  const called = (tag) => new Intl.DisplayNames(tag, { type: "language" }).of(tag);
  const choose = (event) => { localStorage.setItem("language", event.target.value); location.reload(); };
  return el("label", { class: "language" }, t("language"), " ", el("select", { onchange: choose },
    ...Object.keys(LANGUAGES).map((tag) => el("option", { value: tag, selected: tag === language }, called(tag)))));
}
