// One picture, large, with what is known of it beside it. Each section beside it has a function of its own.

import { ask, original, thumbnail } from "./api.js";
import { $, button, bytes, date, el, exposure, fill, name, narrow } from "./dom.js";
import { captions } from "./captions.js";
import { questions } from "./questions.js";
import { reasons } from "./reasons.js";
import { teaching } from "./teaching.js";
import { toast } from "./talk.js";
import { count, t } from "./words.js";
import { Zoom } from "./zoom.js";

const VIDEO = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|mts|m2ts|3gp|wmv|ogv)$/i;
const BESIDE = 12; // similar pictures, and pictures of a stack, that are shown

export class Viewer {
  constructor(dialog, { query, insert, caller, taught, home }) {
    Object.assign(this, { dialog, query, insert, caller, taught, home });
    dialog.addEventListener("close", () => this.closed());
    dialog.addEventListener("keydown", (event) => this.key(event));
    dialog.addEventListener("click", (event) => { if (event.target === this.stage) dialog.close(); });
  }

  open(column, entry, place) {
    Object.assign(this, { column, place });
    this.show(entry.item, entry);
  }

  // A picture that an address names: #item=12.
  follow(hash) {
    const found = hash.match(/^#item=(\d+)$/);
    if (found && Number(found[1]) !== this.item) this.found(Number(found[1]));
    else if (!found && this.dialog.open) { this.item = null; this.dialog.close(); }
  }

  // Where it stands among the pictures, so that the arrows lead on.
  found(item) {
    const place = this.home().grid.entries.findIndex((entry) => entry.item === item);
    Object.assign(this, { column: place < 0 ? null : this.home(), place });
    this.show(item, this.column?.grid.entries[place] ?? { item });
  }

  async show(item, entry) {
    Object.assign(this, { item, entry, under: null });
    if (!this.dialog.open) {
      this.dialog.showModal();
      if (location.hash !== `#item=${item}`) history.pushState({ viewer: true }, "", `#item=${item}`); // Back closes it
    } else history.replaceState(history.state, "", `#item=${item}`);
    this.picture(entry);
    fill(this.about, el("p", { class: "hint" }, t("loading")));
    try {
      const found = await ask(`v1/items/${item}`);
      if (this.item === item) this.tell(found);
    } catch (error) { fill(this.about, el("p", { class: "error", role: "alert" }, error.message)); }
  }

  picture(entry) {
    const film = VIDEO.test(entry.path ?? "");
    const shown = film
      ? el("video", { src: `${original(entry)}#t=${entry.second ?? 0}`, controls: true, poster: thumbnail(entry, 1280) })
      : el("img", { src: thumbnail(entry, innerWidth * devicePixelRatio > 1700 ? 2560 : 1280), draggable: "false", alt: entry.text || name(entry.path ?? t("picture")) });
    this.frame = el("div", { class: "frame" }, shown);
    shown.addEventListener(film ? "loadedmetadata" : "load", () => this.fit(shown));
    const tool = (kind, label, text, act) => button({ class: kind, "aria-label": t(label), title: t(label), onclick: act }, text);
    this.stage = el("div", { class: "stage" }, this.frame,
      this.column && this.place > 0 ? tool("previous", "previous", "‹", () => this.step(-1)) : null,
      this.column && !(this.column.done && this.place >= this.column.grid.entries.length - 1) ? tool("next", "next", "›", () => this.step(1)) : null);
    this.about = el("div", { class: "about" });
    fill(this.dialog, this.stage, this.about, tool("close", "close", "×", () => this.dialog.close()));
    if (!film) {
      const larger = () => { shown.src = thumbnail(entry, 2560); };
      this.zoom = new Zoom(this.stage, this.frame, { larger, swiped: (by) => this.step(by) });
    }
    this.dialog.scrollTop = 0;
    $(".close", this.dialog).focus();
  }

  // As large as the room allows, small pictures up to three times their size; on a phone, no higher than it needs.
  fit(shown) {
    const width = shown.naturalWidth || shown.videoWidth, height = shown.naturalHeight || shown.videoHeight;
    if (shown.style.width && shown.dataset.fitted) return; // the same picture in more detail
    const most = narrow() ? innerHeight * 0.62 : this.stage.clientHeight;
    const scale = Math.min(this.stage.clientWidth / width, most / height, 3);
    Object.assign(shown.style, { width: `${width * scale}px`, height: `${height * scale}px` });
    shown.dataset.fitted = "yes";
    this.stage.style.height = narrow() ? `${Math.max(height * scale, 180)}px` : "";
  }

  step(by) {
    const entries = this.column?.grid.entries ?? [];
    const place = this.place + by;
    if (!entries[place]) return;
    this.place = place;
    this.show(entries[place].item, entries[place]);
    if (place > entries.length - 10) this.column.more();
  }

  key(event) {
    if (event.target.closest("input, textarea")) return;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && !event.target.closest("video")) { event.preventDefault(); this.step(step); }
    else if (event.key === "+") this.zoom?.zoom(1.6);
    else if (event.key === "-") this.zoom?.zoom(1 / 1.6);
  }

  closed() {
    this.item = null;
    if (history.state?.viewer) history.back();
    else history.replaceState(history.state, "", location.pathname + location.search);
    fill(this.dialog);
    (this.column ?? this.home()).grid.focus(this.place ?? 0);
  }

  leave(query) {
    this.dialog.close();
    this.insert(query);
  }

  // --- what is known ----------------------------------------------------------------------------------------------

  tell(found) {
    const query = this.query(), caller = this.caller() ?? {};
    const writes = caller.scope && caller.scope !== "read" && !caller.folder;
    this.found = found;
    this.dialog.setAttribute("aria-label", name(found.path));
    fill(this.about,
      el("h1", {}, name(found.path)),
      this.actions(found, caller),
      captions(this, found, writes),
      this.stack(),
      query && !/^item:\d+$/.test(query) ? reasons(this, query) : null,
      questions(this, caller),
      writes ? teaching(this) : null,
      this.facts(found),
      this.strip(t("similarTitle"), async () => (await ask(`v1/items/${found.item}/similar`, { query: { k: BESIDE } })).hits),
      this.nearestTexts(found),
    );
  }

  section(title, ...children) {
    return el("section", {}, el("h2", {}, title), ...children);
  }

  // The picture as a field of a form, with other fields.
  form(fields = {}) {
    const form = new FormData();
    form.append("items", this.item);
    for (const [key, value] of Object.entries(fields)) form.append(key, value);
    return form;
  }

  actions(found, caller) {
    const copy = async () => {
      try {
        const data = await (await fetch(thumbnail(found, 2560), { headers: { accept: "image/jpeg" } })).blob();
        const bitmap = await createImageBitmap(data), canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        canvas.getContext("2d").drawImage(bitmap, 0, 0);
        await navigator.clipboard.write([new ClipboardItem({ "image/png": canvas.convertToBlob({ type: "image/png" }) })]);
        toast(t("copied"));
      } catch { toast(t("cannotCopy")); }
    };
    const copyPath = () => navigator.clipboard?.writeText(found.path).then(() => toast(t("copied")), () => toast(t("cannotCopy")));
    return el("div", { class: "actions" },
      button({ onclick: () => this.leave(`item:${found.item}`) }, t("moreLikeThis")),
      caller.originals ? el("a", { href: original(found, { download: true }), download: "" }, t("download")) : null,
      caller.originals ? el("a", { href: original(found), target: "_blank", rel: "noopener" }, t("open")) : null,
      button({ onclick: copy }, t("copy")),
      caller.scope === "admin" ? button({ onclick: copyPath }, t("copyPath")) : null);
  }

  facts(found) {
    const { facts, place } = found;
    const megapixels = (facts.width * facts.height) / 1e6;
    const rows = {
      taken: facts.taken_at && date(facts.taken_at, facts.date_precision) + (facts.date_from_name ? ` (${t("fromName")})` : ""),
      place: place.filter(Boolean).join(", "),
      camera: facts.camera, lens: facts.lens, exposure: exposure(facts), title: facts.title,
      description: facts.description, comments: facts.comments.join("\n"), people: facts.people.join(", "),
      keywords: facts.keywords.join(", "), rating: facts.rating > 0 ? "★".repeat(facts.rating) : "",
      size: facts.width && `${facts.width} × ${facts.height}${megapixels >= 1 ? ` (${count(Number(megapixels.toFixed(1)))} MP)` : ""}`,
      file: [facts.format, found.bytes && bytes(found.bytes)].filter(Boolean).join(", "),
      coordinates: facts.latitude !== null && facts.longitude !== null ? `${facts.latitude.toFixed(5)}, ${facts.longitude.toFixed(5)}` : "",
      damaged: facts.damaged ? t("damagedText") : "", copies: found.copies.map(name).join("\n"),
    };
    const shown = Object.entries(rows).filter(([, value]) => value);
    return this.section(t("facts"), el("dl", {}, ...shown.flatMap(([key, value]) => [el("dt", {}, t(`fact_${key}`)), el("dd", {}, value)])));
  }

  // What is known of the pictures that are folded under this one; asked for once.
  beneath() {
    const items = (this.entry.folded ?? []).slice(0, BESIDE);
    this.under ??= Promise.all(items.map((item) => ask(`v1/items/${item}`).catch(() => null))).then((found) => found.filter(Boolean));
    return this.under;
  }

  stack() {
    const count = this.entry.folded?.length;
    return count ? this.strip(t("stackTitle", { count }), () => this.beneath()) : null;
  }

  strip(title, load) {
    const row = el("div", { class: "strip" }), section = this.section(title, row);
    load().then((hits) => {
      if (!hits.length) section.remove();
      fill(row, ...hits.filter((hit) => hit.item).map((hit) => button({
        "aria-label": hit.text || name(hit.path), title: hit.text || name(hit.path), onclick: () => { this.column = null; this.show(hit.item, hit); },
      }, el("img", { src: thumbnail(hit), alt: "", loading: "lazy" }))));
    }).catch(() => section.remove());
    return section;
  }

  nearestTexts(found) {
    const list = el("div"), section = this.section(t("textsTitle"), list);
    ask("v1/captions", { method: "POST", query: { item: found.item, k: 5, threshold: "none" } })
      .then(({ hits }) => (hits.length ? fill(list, ...hits.map((hit) => el("p", { class: "caption" }, el("span", {}, hit.text)))) : section.remove()))
      .catch(() => section.remove());
    return section;
  }
}
