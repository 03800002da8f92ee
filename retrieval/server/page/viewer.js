// One picture, large: what is known of it, what is said of it, why it is here, and what the model says to questions.

import { ask, original, stream, thumbnail } from "./api.js";
import { $, count, date, exposure, el, fill, name, plural, svg } from "./dom.js";

const VIDEO = /\.(mp4|m4v|mov|mkv|webm|avi|mpe?g|mts|m2ts|3gp|wmv|ogv)$/i;
const SOURCES = { edited: "by hand", file: "caption file", sidecar: "beside the file", metadata: "in the file", generated: "a model" };
const BANDS = { strong: "a strong match", likely: "a likely match", weak: "a weak match" };

export class Viewer {
  constructor(dialog, { query, insert, caller, taught, home }) {
    Object.assign(this, { dialog, query, insert, caller, taught, home });
    dialog.addEventListener("close", () => this.closed());
    dialog.addEventListener("keydown", (event) => this.key(event));
    dialog.addEventListener("click", (event) => { if (event.target === this.stage) dialog.close(); });
    let start = null;
    dialog.addEventListener("touchstart", (event) => { start = event.touches.length === 1 ? event.touches[0].clientX : null; }, { passive: true });
    dialog.addEventListener("touchend", (event) => {
      const moved = start === null ? 0 : event.changedTouches[0].clientX - start;
      if (Math.abs(moved) > 70 && event.target.closest(".stage")) this.step(moved < 0 ? 1 : -1);
    });
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
    this.show(item, this.column?.grid.entries[place] ?? {});
  }

  async show(item, entry) {
    Object.assign(this, { item, entry });
    if (!this.dialog.open) {
      this.dialog.showModal();
      if (location.hash !== `#item=${item}`) history.pushState({ viewer: true }, "", `#item=${item}`); // Back closes it
    } else history.replaceState(history.state, "", `#item=${item}`);
    this.picture(item, entry);
    fill(this.about, el("p", { class: "hint" }, "…"));
    try {
      const found = await ask(`/v1/items/${item}`);
      if (this.item === item) this.tell(found);
    } catch (error) { fill(this.about, el("p", { class: "error", role: "alert" }, error.message)); }
  }

  picture(item, entry) {
    const film = VIDEO.test(entry.path ?? "");
    const shown = film
      ? el("video", { src: `${original(item)}#t=${entry.second ?? 0}`, controls: true, poster: thumbnail(item, 1280) })
      : el("img", { src: thumbnail(item, innerWidth * devicePixelRatio > 1700 ? 2560 : 1280), alt: entry.text || name(entry.path ?? `picture ${item}`) });
    this.frame = el("div", { class: "frame" }, shown);
    shown.addEventListener(film ? "loadedmetadata" : "load", () => this.fit(shown));
    const button = (kind, label, text, act) => el("button", { type: "button", class: kind, "aria-label": label, onclick: act }, text);
    this.stage = el("div", { class: "stage" }, this.frame, button("close", "Close", "×", () => this.dialog.close()),
      this.column ? button("previous", "Previous picture", "‹", () => this.step(-1)) : null,
      this.column ? button("next", "Next picture", "›", () => this.step(1)) : null);
    this.about = el("div", { class: "about" });
    fill(this.dialog, this.stage, this.about);
    $(".close", this.stage).focus();
  }

  // As large as the room allows, small pictures up to three times their size.
  fit(shown) {
    const width = shown.naturalWidth || shown.videoWidth, height = shown.naturalHeight || shown.videoHeight;
    const { clientWidth, clientHeight } = this.stage;
    const scale = Math.min(clientWidth / width, clientHeight / height, 3);
    Object.assign(shown.style, { width: `${width * scale}px`, height: `${height * scale}px` });
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
  }

  closed() {
    this.item = null;
    if (history.state?.viewer) history.back();
    else history.replaceState(history.state, "", location.pathname + location.search);
    fill(this.dialog);
    (this.column ?? this.home()).grid.focus(this.place ?? 0);
  }

  // --- what is known ----------------------------------------------------------------------------------------------

  tell(found) {
    const query = this.query(), caller = this.caller() ?? {};
    const writes = caller.scope && caller.scope !== "read";
    this.found = found;
    this.dialog.setAttribute("aria-label", name(found.path));
    fill(this.about,
      el("h1", {}, name(found.path)), el("p", { class: "path" }, found.path),
      this.actions(found, caller),
      this.texts(found, writes),
      query && !/^item:\d+$/.test(query) ? this.reasons(query) : null,
      this.questions(),
      writes && !caller.folder ? this.teaching() : null,
      this.facts(found),
      this.strip("Similar pictures", async () => (await ask(`/v1/items/${found.item}/similar`, { query: { k: 12 } })).hits),
      this.nearestTexts(found),
    );
  }

  section(title, ...children) {
    return el("section", {}, el("h2", {}, title), ...children);
  }

  actions(found, caller) {
    const told = el("span", { class: "hint", role: "status" });
    const tell = (text) => { told.textContent = text; setTimeout(() => (told.textContent = ""), 2500); };
    const copy = async () => {
      try {
        const data = await (await fetch(thumbnail(found.item, 2560), { headers: { accept: "image/jpeg" } })).blob();
        const bitmap = await createImageBitmap(data), canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        canvas.getContext("2d").drawImage(bitmap, 0, 0);
        await navigator.clipboard.write([new ClipboardItem({ "image/png": canvas.convertToBlob({ type: "image/png" }) })]);
        tell("copied");
      } catch { tell("this browser does not let pages copy pictures here"); }
    };
    return el("div", { class: "actions" },
      el("button", { type: "button", onclick: () => { this.dialog.close(); this.insert(`item:${found.item}`); } }, "More like this"),
      caller.originals ? el("a", { href: `${original(found.item)}?download=true`, download: "" }, "Download") : null,
      caller.originals ? el("a", { href: original(found.item), target: "_blank", rel: "noopener" }, "Open") : null,
      el("button", { type: "button", onclick: copy }, "Copy"),
      el("button", { type: "button", onclick: () => navigator.clipboard?.writeText(found.path).then(() => tell("path copied"), () => tell(found.path)) }, "Copy path"),
      told);
  }

  texts(found, writes) {
    const list = el("div");
    const draw = (texts) => fill(list, ...texts.map((each) => el("p", { class: "caption" }, el("span", {}, each.text),
      el("span", { class: "source", title: each.model }, SOURCES[each.source] ?? each.source))),
      texts.length ? null : el("p", { class: "hint" }, "No captions yet."));
    draw(found.texts);
    const error = el("p", { class: "error", role: "alert" });
    const field = el("textarea", { rows: 2, maxlength: "2000", "aria-label": "Caption" });
    const form = el("form", { hidden: true, onsubmit: async (event) => {
      event.preventDefault();
      error.textContent = "";
      try {
        if (!field.value.trim()) throw new Error("Write something first.");
        found.texts = (await ask(`/v1/items/${found.item}/caption`, { method: "PUT", body: { text: field.value } })).texts;
        draw(found.texts);
        leave();
      } catch (failure) { error.textContent = failure.message; }
    } }, field, el("button", {}, "Keep"), el("button", { type: "button", onclick: () => leave() }, "Cancel"));
    const leave = () => { form.hidden = true; edit.hidden = false; error.textContent = ""; edit.focus(); };
    const edit = el("button", { type: "button", onclick: () => { field.value = found.texts.find((each) => each.source === "edited")?.text ?? ""; form.hidden = false; edit.hidden = true; field.focus(); } }, "Write a caption");
    const generate = el("button", { type: "button", onclick: async () => {
      generate.disabled = true;
      generate.textContent = "The model is looking …";
      try {
        const { text } = await ask("/v1/caption", { method: "POST", body: this.form() });
        if (writes) { field.value = text; form.hidden = false; edit.hidden = true; field.focus(); }
        else list.append(el("p", { class: "caption" }, el("span", {}, text), el("span", { class: "source" }, "a model, just now")));
      } catch (failure) { error.textContent = failure.message; }
      generate.disabled = false;
      generate.textContent = "Let the model write one";
    } }, "Let the model write one");
    return this.section("Captions", list, form, el("div", { class: "actions" }, writes ? edit : null, generate), error);
  }

  form(fields = {}) {
    const form = new FormData();
    form.append("items", this.item);
    for (const [key, value] of Object.entries(fields)) form.append(key, value);
    return form;
  }

  // --- why --------------------------------------------------------------------------------------------------------

  reasons(query) {
    const body = el("div", {}, el("button", { type: "button", onclick: () => this.explain(query, body) }, "Why is this here?"));
    body.firstChild.className = "quiet";
    return this.section("Why it was found", el("div", { class: "actions" }, body));
  }

  async explain(query, body) {
    fill(body, el("p", { class: "hint" }, "…"));
    try {
      const why = await ask("/v1/why", { query: { q: query, item: this.item } });
      const reading = why.reading;
      const sure = [BANDS[reading.band], reading.score === null ? "" : `cosine ${reading.score.toFixed(3)}`, reading.height === null ? "" : `${reading.height.toFixed(1)} standard deviations above the mean of neutral texts`];
      fill(body,
        el("p", {}, `Number ${why.rank} of ${count(why.searched)}: ${sure.filter(Boolean).join(", ")}.`),
        why.parts.length ? el("h3", {}, "What each part of the search contributes") : null,
        ...why.parts.map((part) => this.meter(part.part, part.share)),
        why.sources.length ? el("h3", {}, "What brought it up") : null,
        ...why.sources.map((source) => el("div", {}, this.meter({ pixels: "its pixels", captions: "its captions", words: "its words" }[source.source] ?? source.source, source.share),
          ...source.matched.slice(0, 3).map((line) => el("p", { class: "hint" }, line)))),
        ...why.filters.map((check) => el("p", { class: "hint" }, `${check.passes ? "✓" : "✗"} ${check.filter}: ${check.value}`)),
        ...why.notes.map((note) => el("p", { class: "note" }, note)),
        el("div", { class: "actions" }, el("button", { type: "button", "aria-pressed": "false", onclick: (event) => this.heat(query, event.target) }, "Show where")));
    } catch (error) {
      await this.whyNot(query, body, error);
    }
  }

  async whyNot(query, body, error) {
    try {
      const found = await ask("/v1/why-not", { query: { q: query, item: this.item } });
      fill(body, el("p", {}, `It is not a hit: ${found.said}.`),
        ...found.changes.map((change) => el("p", {}, change.query
          ? el("button", { type: "button", class: "quiet", onclick: () => { this.dialog.close(); this.insert(change.query); } }, `${change.what} → number ${change.rank}`)
          : `${change.what} → number ${change.rank}`)));
    } catch { fill(body, el("p", { class: "error" }, error.message)); }
  }

  meter(label, share) {
    const bar = el("span", { class: "bar" });
    bar.style.width = `${Math.max(2, 100 * share)}%`;
    return el("div", { class: "meter" }, el("span", { title: label }, label), el("span", { class: "track" }, bar), el("span", { class: "number" }, `${Math.round(100 * share)}%`));
  }

  async heat(query, button) {
    const old = $("canvas", this.frame);
    button.setAttribute("aria-pressed", String(!old));
    if (old) { old.remove(); return; }
    try {
      const { heat } = await ask("/v1/why", { query: { q: query, item: this.item, heat: true } });
      const values = heat.flat(), low = Math.min(...values), high = Math.max(...values);
      const canvas = el("canvas", { width: heat[0].length, height: heat.length, "aria-label": "Where the picture looks like the search" });
      const pixels = new ImageData(heat[0].length, heat.length);
      values.forEach((value, place) => {
        const cold = 1 - (value - low) / (high - low || 1); // what looks least like it is darkest
        pixels.data.set([10, 12, 20, 215 * cold ** 1.6], 4 * place);
      });
      canvas.getContext("2d").putImageData(pixels, 0, 0);
      this.frame.append(canvas);
    } catch (error) { button.after(el("p", { class: "error" }, error.message)); }
  }

  // --- the model --------------------------------------------------------------------------------------------------

  questions() {
    const said = el("div", { "aria-live": "polite" });
    const field = el("input", { type: "text", maxlength: "500", placeholder: "Is there a dog?", "aria-label": "Question or phrase" });
    const busy = async (work, text) => {
      if (!text) { field.focus(); return; }
      const block = el("div", { class: "said" }, el("b", {}, text), "…");
      said.prepend(block);
      try {
        const found = await work(text, block);
        block.lastChild.replaceWith(found);
      } catch (error) { block.lastChild.replaceWith(el("span", { class: "error" }, error.message)); }
    };
    const question = async (text, block) => {
      let said = "";
      for await (const { event, data } of stream("/v1/ask/stream", { method: "POST", body: this.form({ question: text }) })) {
        if (event === "text") block.lastChild.replaceWith(document.createTextNode((said += data)));
        if (event === "answer") said = data.answer;
      }
      return said;
    };
    const where = async (text) => {
      const { boxes } = await ask("/v1/ground", { method: "POST", body: this.form({ phrase: text }) });
      this.boxes(boxes);
      return boxes.length ? `${boxes.length} found` : "nowhere";
    };
    const form = el("form", { onsubmit: (event) => { event.preventDefault(); busy(question, field.value.trim()); } }, field,
      el("button", {}, "Ask"),
      this.caller()?.grounds === false ? null : el("button", { type: "button", onclick: () => busy(where, field.value.trim()) }, "Find"));
    return this.section("Ask about it", form, said);
  }

  boxes(boxes) {
    $("svg", this.frame)?.remove();
    this.frame.append(svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", role: "img", "aria-label": "Where it is" },
      ...boxes.map((box) => svg("rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }))));
  }

  teaching() {
    const told = el("p", { class: "hint", role: "status" });
    const field = el("input", { type: "text", maxlength: "64", placeholder: "kitchen", "aria-label": "Word to teach" });
    field.value = localStorage.getItem("teaching") ?? "";
    const teach = async (yes) => {
      const word = field.value.trim().replace(/^@/, "");
      if (!word) { field.focus(); return; }
      localStorage.setItem("teaching", word);
      try {
        const path = `/v1/names/${encodeURIComponent(word)}/examples`;
        const found = await ask(path, { method: "POST", body: { [yes ? "yes" : "no"]: [this.item] } });
        told.textContent = `@${word} has ${plural(found.yes, "picture")} for and ${found.no} against.`;
        this.taught();
      } catch (error) { told.textContent = error.message; }
    };
    return this.section("Teach a word", el("form", { onsubmit: (event) => { event.preventDefault(); teach(true); } }, field,
      el("button", { title: "This is it" }, "Yes"), el("button", { type: "button", title: "This is not it", onclick: () => teach(false) }, "No")), told);
  }

  // --- facts and neighbours ---------------------------------------------------------------------------------------

  facts(found) {
    const { facts, place } = found;
    const rows = {
      Taken: facts.taken_at && date(facts.taken_at, facts.date_precision) + (facts.date_from_name ? " (from the file's name)" : ""),
      Place: place.filter(Boolean).join(", "),
      Size: facts.width && `${facts.width} × ${facts.height} (${((facts.width * facts.height) / 1e6).toFixed(1)} MP)`,
      Format: facts.format, Camera: facts.camera, Lens: facts.lens, Title: facts.title,
      Exposure: exposure(facts), Description: facts.description, Comments: facts.comments.join("\n"),
      People: facts.people.join(", "), Damaged: facts.damaged ? "a part of the picture is missing" : "", Keywords: facts.keywords.join(", "),
      Rating: facts.rating > 0 ? "★".repeat(facts.rating) : "",
      Coordinates: facts.latitude !== null && facts.longitude !== null ? `${facts.latitude.toFixed(5)}, ${facts.longitude.toFixed(5)}` : "",
      "Also at": found.copies.join("\n"), "Nearly the same": (this.entry.folded ?? []).join("\n"), Item: String(found.item),
    };
    const shown = Object.entries(rows).filter(([, value]) => value);
    return this.section("Facts", el("dl", {}, ...shown.flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value)])));
  }

  strip(title, load) {
    const row = el("div", { class: "strip" }), section = this.section(title, row);
    load().then((hits) => fill(row, ...hits.filter((hit) => hit.item).map((hit) => el("button", {
      type: "button", "aria-label": hit.text || name(hit.path), onclick: () => { this.column = null; this.show(hit.item, hit); },
    }, el("img", { src: thumbnail(hit.item), alt: "", loading: "lazy" }))))).catch(() => section.remove());
    return section;
  }

  nearestTexts(found) {
    const list = el("div"), section = this.section("Nearest texts of the library", list);
    ask("/v1/captions", { method: "POST", query: { item: found.item, k: 5, threshold: "none" } })
      .then(({ hits }) => (hits.length ? fill(list, ...hits.map((hit) => el("p", { class: "caption" }, el("span", {}, hit.text), el("span", { class: "source" }, hit.score.toFixed(2))))) : section.remove()))
      .catch(() => section.remove());
    return section;
  }
}
