// The page: the search box, what it asks for, and what is shown. Everything else has a file of its own.

import { ask, events } from "./api.js";
import { Column, USUAL } from "./column.js";
import { $, el, fill, later } from "./dom.js";
import { Hints } from "./hints.js";
import { library, worldMap } from "./panels.js";
import * as side from "./side.js";
import { Viewer } from "./viewer.js";

const input = $("#query");
const state = { image: null, until: "", months: [], facets: {}, caller: null, comparing: false };
const total = () => state.months.reduce((sum, [, number]) => sum + number, 0);
const viewer = new Viewer($("#viewer"), { query: () => input.value.trim(), insert, caller: () => state.caller, taught: loadNames, home: () => first });
const open = (column, entry, place) => viewer.open(column, entry, place);
const first = new Column({ grid: $("#grid"), answer: $("#answer"), state: $("#state"), open, months: total });
const second = new Column({ grid: $("#other-grid"), answer: $("#other-answer"), state: $("#other-state"), open, months: total });
const hints = new Hints(input, $("#hints"), { facets: () => state.facets, picked: () => typed() });

// --- asking -----------------------------------------------------------------------------------------------------

function asked() {
  return { q: input.value.trim(), image: state.image, until: state.until };
}

async function search({ push = false } = {}) {
  remember(push);
  document.body.classList.toggle("searching", Boolean(input.value.trim() || state.image));
  document.title = input.value.trim() ? `${input.value.trim()} – retrieval` : "retrieval";
  explain();
  if (state.comparing) second.search(asked());
  const current = await first.search(asked());
  if (current) loadFacets();
}

const typed = later(() => {
  state.until = "";
  if (!/(^|[\s(-])[a-z]+:$/.test(input.value.trim())) search(); // a filter that still lacks its value is waited for
}, 140);

let entered = location.search; // the last search that is an entry of the history

function remember(push) {
  const query = new URLSearchParams();
  if (input.value.trim()) query.set("q", input.value.trim());
  for (const [key, value] of Object.entries(first.settings)) if (value !== USUAL[key]) query.set(key, value);
  const at = query.size ? `?${query}` : location.pathname;
  const search = query.size ? at : "";
  if (push && search !== entered) {
    history.replaceState(history.state, "", entered || location.pathname); // typing went over it
    history.pushState(null, "", at);
    entered = search;
  } else history.replaceState(history.state, "", at + location.hash);
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

// How the query is read, where that is not plain.
const explain = later(async () => {
  const query = input.value.trim(), node = $("#understood");
  let chips = [];
  if (query) {
    try {
      const { alternatives, notes } = await ask("/v1/understand", { query: { q: query } });
      const plain = alternatives.length === 1 && alternatives[0].length === 1 && alternatives[0][0] === query;
      if (!plain) {
        chips = alternatives.flatMap((parts, place) => [
          place ? el("span", { class: "or" }, "or") : null,
          ...parts.map((part) => el("span", { class: `chip ${kind(part)}` }, part)),
        ]);
        chips.unshift(el("span", { class: "or" }, "understood as"));
      }
      chips.push(...notes.map((note) => el("span", { class: "note" }, note)));
    } catch { /* the answer itself says what is wrong */ }
  }
  if (query !== input.value.trim()) return;
  node.hidden = !chips.length;
  fill(node, ...chips);
}, 60);

const kind = (part) => (part.startsWith("-") ? "minus" : /^[a-z]+:/.test(part) ? "filter" : part.startsWith("@") ? "name" : "");

const loadFacets = later(async () => {
  const q = input.value.trim();
  if (state.image) return side.facets({}, q, narrow);
  try {
    const found = await ask("/v1/facets", { query: { q: q || "type:photo OR type:video" } });
    if (q !== input.value.trim()) return;
    if (!q) state.facets = found;
    side.facets(found, q, narrow);
  } catch { side.facets({}, q, narrow); }
}, 250);

function narrow(token, add) {
  const q = input.value.trim();
  input.value = add ? `${q} ${token}`.trim() : q.replace(token, "").replace(/\s+/g, " ").trim();
  search({ push: true });
}

function insert(text, alone = false) {
  input.value = text.startsWith("@") && !alone ? `${input.value.trim()} ${text}`.trim() : text;
  setImage(null);
  search({ push: true });
  scrollTo({ top: 0 });
}

// --- a picture as the question ------------------------------------------------------------------------------------

function setImage(file) {
  const node = $("#example");
  if (state.image) URL.revokeObjectURL(node.dataset.url);
  state.image = file;
  node.hidden = !file;
  if (!file) return fill(node);
  node.dataset.url = URL.createObjectURL(file);
  return fill(node, el("img", { src: node.dataset.url, alt: "the picture to search by" }),
    el("button", { type: "button", "aria-label": "Search without this picture", onclick: () => { setImage(null); search(); input.focus(); } }, "×"));
}

function searchBy(file) {
  if (!file) return;
  if (!file.type.startsWith("image/")) { first.failed({ message: `${file.name} is not a picture.` }); return; }
  setImage(file);
  search();
}

function dropped(event) {
  event.preventDefault();
  $("#drop").hidden = true;
  const file = [...event.dataTransfer.files][0];
  const link = event.dataTransfer.getData("text/uri-list");
  const item = link.match(/#item=(\d+)/);
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
  fill($("#options"), ...side.options(first.settings, () => search({ push: true }), state.comparing ? "Answers, left" : "Answers"));
  $("#options h2").id = "options-head";
  fill($("#other-options"), ...(state.comparing ? side.options(second.settings, () => second.search(asked()), "Answers, right") : []));
}
first.changed = second.changed = drawOptions;
first.suggested = second.suggested = (query) => insert(query);

async function loadNames() {
  const canWrite = state.caller && state.caller.scope !== "read" && !state.caller.folder;
  const names = await ask("/v1/names");
  side.names(names, { insert, open: (name) => insert(`@${name}`, true), canWrite, save: saveSearch, changed: loadNames });
  hints.load(names);
}

async function saveSearch() {
  const query = input.value.trim();
  if (!query) { alert("There is no search to save: write one first."); return; }
  const name = prompt(`Keep "${query}" under the name`);
  if (!name) return;
  const known = (await ask("/v1/names")).saved[name.replace(/^@/, "")];
  if (known !== undefined && !confirm(`@${name.replace(/^@/, "")} is "${known}" already. Replace it?`)) return;
  try {
    await ask(`/v1/names/${encodeURIComponent(name.replace(/^@/, ""))}`, { method: "PUT", body: { query } });
    loadNames();
  } catch (error) { alert(error.message); }
}

function jump(month) {
  input.value = "";
  setImage(null);
  state.until = month;
  search();
  scrollTo({ top: 0 });
  if (innerWidth < 900) toggleSide(false);
}

function toggleSide(shown) {
  document.body.classList.toggle("side-open", shown);
  $("#filters").setAttribute("aria-expanded", String(document.body.classList.contains("side-open")));
}

function compare() {
  state.comparing = !state.comparing;
  $("#other").hidden = !state.comparing;
  $("#compare").setAttribute("aria-pressed", String(state.comparing));
  document.body.classList.toggle("comparing", state.comparing);
  second.settings = { ...first.settings, rerank: !first.settings.rerank };
  drawOptions();
  if (!state.comparing) return;
  second.search(asked());
  if (innerWidth < 900) $("#other").scrollIntoView();
}

$("#compare").addEventListener("click", compare);
$("#filters").addEventListener("click", () => toggleSide(!document.body.classList.contains("side-open")));
$("#library").addEventListener("click", () => library($("#panel"), { changed: begin, leave }));
$("#map").addEventListener("click", () => worldMap($("#panel"), { insert }));
$("#theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
});

input.addEventListener("input", () => { hints.open(); typed(); });
$("#search").addEventListener("submit", (event) => { event.preventDefault(); hints.close(); state.until = ""; search({ push: true }).then(() => first.grid.focus(0)); });
$(".brand").addEventListener("click", (event) => {
  event.preventDefault();
  input.value = "";
  state.until = "";
  setImage(null);
  search({ push: true });
});
addEventListener("popstate", () => {
  if (location.search !== entered) { entered = location.search; recall(); search(); }
  viewer.follow(location.hash);
});
addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") { event.preventDefault(); input.focus(); input.select(); }
});

// --- beginning, login, offline ------------------------------------------------------------------------------------

events.addEventListener("offline", () => {
  const node = $("#offline");
  if (!node.hidden) return;
  node.hidden = false;
  node.textContent = "The server does not answer. Trying again …";
  const wait = setInterval(async () => {
    if (await fetch("/healthz").then((answer) => answer.ok, () => false)) { clearInterval(wait); node.hidden = true; begin(); }
  }, 2000);
});

events.addEventListener("login", () => { if (!$("#login").open) $("#login").showModal(); });
$("#login form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await ask("/v1/login", { method: "POST", body: { token: $("#token").value.trim() } });
    $("#login").close();
    $("#token").value = "";
    begin();
  } catch (error) { $("#login-error").textContent = error.message; }
});
$("#login").addEventListener("cancel", (event) => event.preventDefault());

async function leave() {
  await ask("/v1/logout", { method: "POST" });
  location.reload();
}

async function begin() {
  try {
    const [status, timeline] = await Promise.all([ask("/v1/status"), ask("/v1/timeline")]);
    state.caller = status.caller;
    state.months = timeline.months;
    side.timeline(timeline.months, jump);
    await Promise.all([search(), loadNames()]);
    viewer.follow(location.hash);
  } catch (error) { if (error.status !== 401 && error.status !== 0) first.failed(error); }
}

document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "";
recall();
begin();
