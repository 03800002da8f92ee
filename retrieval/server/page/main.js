// The page: the search box, what it asks for, and what is shown. Everything else has a file of its own.

import { ask, events } from "./api.js";
import { Column, USUAL } from "./column.js";
import { $, button, el, fill, later, narrow } from "./dom.js";
import { Hints } from "./hints.js";
import { jobs, progress, watch } from "./jobs.js";
import { library } from "./library.js";
import { worldMap } from "./map.js";
import * as side from "./side.js";
import { confirmed, named, toast } from "./talk.js";
import { Viewer } from "./viewer.js";
import { said, t, translate } from "./words.js";

translate(document);

const SHORT = 3; // characters from which one searches while typing
const input = $("#query");
const state = { image: null, example: null, months: [], facets: {}, caller: null, comparing: false };
const total = () => state.months.reduce((sum, [, number]) => sum + number, 0);
const viewer = new Viewer($("#viewer"), { query: () => input.value.trim(), insert, caller: () => state.caller, taught: loadNames, home: () => first });
const open = (column, entry, place) => viewer.open(column, entry, place);
const first = new Column({ node: $("#first"), open, total, facets: drawFacets });
const second = new Column({ node: $("#second"), open, total });
const hints = new Hints(input, $("#hints"), { facets: () => state.facets, picked: () => search({ push: true }) });

// --- asking -----------------------------------------------------------------------------------------------------

const asked = () => ({ q: input.value.trim(), image: state.image });

async function search({ push = false } = {}) {
  remember(push);
  const query = input.value.trim();
  $("#clear").hidden = !query;
  document.body.classList.toggle("searching", Boolean(query || state.image));
  document.title = query ? `${query} – retrieval` : "retrieval";
  explain();
  if (push) { hints.keep(query); scrollTo({ top: 0 }); }
  if (state.comparing) second.search(asked());
  await first.search(asked());
}

const typed = later(() => {
  const query = input.value.trim();
  const unfinished = /(^|[\s(-])[a-z]+:$/.test(query); // a filter that still lacks its value is waited for
  const short = query && query.length < SHORT && /^[\x20-\x7f]*$/.test(query);
  if (!unfinished && !short) search();
}, 140);

let entered = { search: location.search, example: null }; // the last search that is an entry of the history

function remember(push) {
  const query = new URLSearchParams();
  if (input.value.trim()) query.set("q", input.value.trim());
  for (const [key, value] of Object.entries(first.settings)) if (value !== USUAL[key]) query.set(key, value);
  const at = query.size ? `?${query}` : location.pathname;
  const now = { search: query.size ? at : "", example: state.example };
  if (push && (now.search !== entered.search || now.example !== entered.example)) {
    history.replaceState({ example: entered.example }, "", entered.search || location.pathname); // typing went over it
    history.pushState({ example: state.example }, "", at);
    entered = now;
  } else history.replaceState({ ...history.state, example: state.example }, "", at + location.hash);
}

function recall() {
  const query = new URLSearchParams(location.search);
  input.value = query.get("q") ?? "";
  for (const [key, value] of Object.entries(USUAL)) {
    const found = query.get(key);
    first.settings[key] = found === null ? value : typeof value === "boolean" ? found === "true" : found;
  }
  drawOptions();
}

// How the query is read, where that is not plain; each filter can be taken away.
const explain = later(async () => {
  const query = input.value.trim(), node = $("#understood");
  let chips = [];
  if (query) {
    try {
      const { alternatives, notes } = await ask("v1/understand", { query: { q: query } });
      const plain = alternatives.length === 1 && alternatives[0].length === 1 && alternatives[0][0] === query;
      if (!plain) {
        chips = alternatives.flatMap((parts, place) => [place ? el("span", { class: "or" }, t("or")) : null, ...parts.map((part) => chip(part, query))]);
        chips.unshift(el("span", { class: "or" }, t("understoodAs")));
      }
      chips.push(...notes.map(said).filter(Boolean).map((note) => el("span", { class: "note" }, note)));
    } catch { /* the answer itself says what is wrong */ }
  }
  if (query !== input.value.trim()) return;
  node.hidden = !chips.length;
  fill(node, ...chips);
}, 60);

function chip(part, query) {
  const kind = part.startsWith("-") ? "minus" : /^[a-z]+:/.test(part) ? "filter" : part.startsWith("@") ? "name" : "";
  const token = kind === "filter" && query.split(/\s+/).find((each) => part.startsWith(each) || each === part);
  return el("span", { class: `chip ${kind}` }, part,
    token ? button({ "aria-label": t("remove", { what: part }), onclick: () => narrowed(token, false) }, "×") : null);
}

function drawFacets(found, alike) {
  const query = input.value.trim();
  if (found) side.facets(found, query, narrowed, alike);
  else ask("v1/facets").then((all) => { state.facets = all; if (!input.value.trim()) side.facets(all, "", narrowed); }, () => {});
}

function narrowed(token, add) {
  const q = input.value.trim();
  input.value = add ? `${q} ${token}`.trim() : q.replace(token, "").replace(/\s+/g, " ").trim();
  search({ push: true });
}

function insert(text, alone = false) {
  input.value = text.startsWith("@") && !alone ? `${input.value.trim()} ${text}`.trim() : text;
  setImage(null);
  search({ push: true });
}

// From a month on back: the words stay, and so does the address.
function jump(month) {
  const q = input.value.replace(/(^|\s)until:\S+/g, "").trim();
  input.value = `${q} until:${month}`.trim();
  if (q) first.settings.order = "date";
  drawOptions();
  search({ push: true });
  if (narrow()) toggleSide(false);
}

// --- a picture as the question ------------------------------------------------------------------------------------

const KEPT = 640; // pixels of the picture that is kept for a reload

// The picture belongs to its entry of the history: Back leads to what was searched before it.
async function setImage(file, id = file && Date.now()) {
  const node = $("#example"), kept = sessionStorage.getItem(`example-${id}`);
  if (state.image) URL.revokeObjectURL(node.dataset.url);
  Object.assign(state, { image: file, example: id });
  node.hidden = !file;
  if (!file) { fill(node); return; }
  node.dataset.url = URL.createObjectURL(file);
  fill(node, el("img", { src: node.dataset.url, alt: t("examplePicture") }),
    button({ "aria-label": t("withoutPicture"), onclick: () => { setImage(null); search({ push: true }); input.focus(); } }, "×"));
  if (kept) return;
  try { sessionStorage.setItem(`example-${id}`, await small(file)); } catch { /* too large, or no room: a reload loses it */ }
}

async function small(file) {
  const bitmap = await createImageBitmap(file), scale = Math.min(1, KEPT / Math.max(bitmap.width, bitmap.height));
  const canvas = el("canvas", { width: bitmap.width * scale, height: bitmap.height * scale });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.9);
}

async function recallImage() {
  const id = history.state?.example ?? null;
  if (id === state.example) return;
  const [head, data] = (sessionStorage.getItem(`example-${id}`) ?? "").split(",");
  const bytes = data && Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  await setImage(data ? new File([bytes], "picture.jpg", { type: head.match(/:(.*);/)[1] }) : null, data ? id : null);
}

function searchBy(file) {
  if (!file) return;
  if (!file.type.startsWith("image/")) { toast(t("notAPicture", { name: file.name })); return; }
  setImage(file);
  search({ push: true });
}

function dropped(event) {
  event.preventDefault();
  $("#drop").hidden = true;
  const file = [...event.dataTransfer.files][0];
  const item = event.dataTransfer.getData("text/uri-list").match(/#item=(\d+)/);
  if (file) searchBy(file);
  else if (item) insert(`item:${item[1]}`);
}

addEventListener("dragover", (event) => { event.preventDefault(); $("#drop").hidden = false; });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("#drop").hidden = true; });
addEventListener("drop", dropped);
addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (file) { event.preventDefault(); searchBy(file); }
});
$("#file").addEventListener("change", (event) => { searchBy(event.target.files[0]); event.target.value = ""; });

// --- the sides ----------------------------------------------------------------------------------------------------

function drawOptions() {
  const again = () => search({ push: true });
  fill($("#options"), ...(state.comparing ? [] : side.options(first.settings, again, t("answers"))));
  fill($("#first .settings"), ...(state.comparing ? side.options(first.settings, again, t("leftAnswers")) : []));
  fill($("#second .settings"), ...(state.comparing ? side.options(second.settings, () => second.search(asked()), t("rightAnswers")) : []));
}
first.changed = () => { drawOptions(); remember(false); };
second.changed = drawOptions;
first.suggested = second.suggested = (query) => insert(query);
first.empty = second.empty = () => {
  const mayIndex = state.caller?.scope === "admin" && !state.caller.folder, running = jobs.latest?.state === "running";
  return [el("h2", {}, t("emptyTitle")), el("p", {}, t(running ? "emptyRunning" : mayIndex ? "emptyAdmin" : "emptyOther")),
    mayIndex ? button({ class: "main", onclick: showLibrary }, t("openLibrary")) : null];
};

async function loadNames() {
  const canWrite = Boolean(state.caller) && state.caller.scope !== "read" && !state.caller.folder;
  const names = await ask("v1/names");
  side.names(names, { insert, open: (name) => insert(`@${name}`, true), canWrite, save: saveSearch, changed: loadNames });
  hints.load(names);
}

async function saveSearch() {
  const query = input.value.trim();
  if (!query) { toast(t("nothingToSave")); return; }
  const name = await named(t("saveTitle"), t("saveAs"), (shown) => t("saveHint", { name: shown }), t("save"));
  if (!name) return;
  const known = (await ask("v1/names")).saved[name];
  if (known !== undefined && known !== query && !(await confirmed(t("replaceSaved", { name, query: known })))) return;
  try {
    await ask(`v1/names/${encodeURIComponent(name)}`, { method: "PUT", body: { query } });
    loadNames();
  } catch (error) { toast(error.message); }
}

function toggleSide(shown) {
  document.body.classList.toggle("side-open", shown);
  const open = document.body.classList.contains("side-open");
  $("#filters").setAttribute("aria-expanded", String(open));
  $("#scrim").hidden = !open;
  if (open) $("#side .close").focus();
}

function compare() {
  state.comparing = !state.comparing;
  $("#second").hidden = !state.comparing;
  $("#compare").setAttribute("aria-pressed", String(state.comparing));
  document.body.classList.toggle("comparing", state.comparing);
  second.settings = { ...first.settings, rerank: !first.settings.rerank };
  drawOptions();
  if (state.comparing) second.search(asked());
}

const shown = (opened) => opened.catch((error) => { $("#panel").close(); toast(error.message); });
const showLibrary = () => shown(library($("#panel"), { leave }));
const near = (place) => insert(`${input.value.replace(/(^|\s)near:\S+/g, "").trim()} ${place}`.trim()); // the words stay

$("#compare").addEventListener("click", compare);
$("#filters").addEventListener("click", () => toggleSide(!document.body.classList.contains("side-open")));
$("#side .close").addEventListener("click", () => { toggleSide(false); $("#filters").focus(); });
$("#scrim").addEventListener("click", () => toggleSide(false));
$("#library").addEventListener("click", showLibrary);
$("#job").addEventListener("click", showLibrary);
$("#map").addEventListener("click", () => shown(worldMap($("#panel"), { insert: near })));
$("#theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
  const shown = document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = shown === "dark" || (dark && shown !== "light") ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
});

input.addEventListener("input", () => { $("#clear").hidden = !input.value; hints.open(); typed(); });
input.addEventListener("focus", () => { if (!input.value) hints.open(); });
$("#clear").addEventListener("click", () => { input.value = ""; search({ push: true }); input.focus(); });
$("#search").addEventListener("submit", (event) => {
  event.preventDefault();
  hints.close();
  typed.cancel();
  search({ push: true }).then(() => first.grid.focus(0));
});
$(".brand").addEventListener("click", (event) => { event.preventDefault(); insert(""); });
addEventListener("popstate", async () => {
  const now = { search: location.search, example: history.state?.example ?? null };
  if (!history.state?.viewer && (now.search !== entered.search || now.example !== entered.example)) {
    entered = now;
    recall();
    await recallImage();
    search();
  }
  viewer.follow(location.hash);
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("side-open")) toggleSide(false);
  const typing = event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); input.focus(); input.select(); }
});

// --- jobs, login, offline -------------------------------------------------------------------------------------------

jobs.addEventListener("change", () => {
  const job = jobs.latest, node = $("#job"), running = job?.state === "running";
  node.hidden = !running && job?.state !== "cut off";
  node.textContent = running ? progress(job).split(" · ")[0] : t("jobResume");
  node.title = running ? t("job", { name: job.root }) : job?.state === "cut off" ? t("jobCutOff", { name: job.root }) : "";
  const empty = $("#first .state.empty");
  if (empty && !empty.hidden && running) first.state("empty");
});
jobs.addEventListener("end", () => begin());

events.addEventListener("offline", () => {
  const node = $("#offline");
  if (!node.hidden) return;
  node.hidden = false;
  node.textContent = t("offline");
  const wait = setInterval(async () => {
    const up = await ask("healthz").then(() => true, () => false);
    if (up) { clearInterval(wait); node.hidden = true; begin(); }
  }, 2000);
});

events.addEventListener("login", () => { if (!$("#login").open) $("#login").showModal(); });
$("#login form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await ask("v1/login", { method: "POST", body: { token: $("#token").value.trim() } });
    $("#login").close();
    $("#token").value = "";
    begin();
  } catch (error) { $("#login-error").textContent = error.status === 401 ? t("loginWrong") : error.status === 429 ? t("loginWait") : error.message; }
});
$("#login").addEventListener("cancel", (event) => event.preventDefault());

async function leave() {
  await ask("v1/logout", { method: "POST" });
  sessionStorage.clear();
  location.reload();
}

// --- beginning ------------------------------------------------------------------------------------------------------

// Where one was before the page was loaded again.
history.scrollRestoration = "manual";
addEventListener("pagehide", () => sessionStorage.setItem("scroll", JSON.stringify([location.href, scrollY])));

async function scrolled() {
  const [at, top] = JSON.parse(sessionStorage.getItem("scroll") ?? "[]");
  sessionStorage.removeItem("scroll");
  if (at !== location.href || !top) return;
  await first.until(top + innerHeight);
  scrollTo({ top });
}

async function begin() {
  try {
    const [status, timeline] = await Promise.all([ask("v1/status"), ask("v1/timeline")]);
    state.caller = status.caller;
    state.months = timeline.months;
    side.timeline(timeline.months, jump);
    if (status.caller.scope === "admin" && !status.caller.folder && !jobs.running) watch().catch(() => {});
    await recallImage();
    entered.example = state.example;
    await Promise.all([search(), loadNames()]);
    viewer.follow(location.hash);
    await scrolled();
  } catch (error) { if (error.status !== 401 && error.status !== 0) first.failed(error); }
}

document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "";
recall();
begin();
