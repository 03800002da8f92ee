// What is beside the pictures: the library with its indexing jobs and problems, and the map.

import { ask, stream } from "./api.js";
import { bytes, count, el, fill, name, plural, seconds } from "./dom.js";

function panel(dialog, title, ...children) {
  fill(dialog, el("div", { class: "panel-top" }, el("h2", { id: "panel-head" }, title),
    el("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => dialog.close() }, "×")), ...children);
  if (!dialog.open) dialog.showModal();
}

// --- the library --------------------------------------------------------------------------------------------------

export async function library(dialog, { changed, leave }) {
  const status = await ask("/v1/status");
  const rules = status.caller.scope === "admin" && !status.caller.folder;
  const [{ problems }, roots, jobs] = await Promise.all([
    ask("/v1/problems"),
    rules ? ask("/v1/roots") : { roots: {} }, rules ? ask("/v1/jobs") : { jobs: [] },
  ]);
  const work = el("div", { "aria-live": "polite" }), error = el("p", { class: "error", role: "alert" });
  const start = async (root, retry) => {
    error.textContent = "";
    try { follow((await ask("/v1/jobs", { method: "POST", body: { root, retry } })).id); } catch (failure) { error.textContent = failure.message; }
  };
  const follow = async (id) => {
    for await (const { event, data } of stream(`/v1/jobs/${id}/events`)) if (event === "job") draw(data);
    changed();
    if (dialog.open) library(dialog, { changed, leave });
  };
  const draw = (job) => {
    const running = job.state === "running", report = job.report;
    const bar = el("progress", { "aria-label": "Indexing", max: job.total ?? 1 });
    if (running && job.total) bar.value = job.done;
    const told = running
      ? [!job.task ? "starting" : job.task === "scan" ? `looking for files: ${count(job.done)}` : `${job.task}: ${count(job.done)} of ${count(job.total ?? 0)}`,
        job.rate ? `${job.rate.toFixed(0)} a second` : "", job.left ? `${seconds(job.left)} left` : ""]
      : [{ done: "Done", stopped: "Stopped; what was done is kept", failed: `Failed: ${job.message}` }[job.state],
        report ? `${plural(report.added, "picture")} added, ${report.changed} changed, ${report.removed} removed in ${seconds(job.seconds)}` : "",
        job.problems.length ? plural(job.problems.length, "problem") : ""];
    fill(work, el("p", {}, `${job.folders.join(", ")}: ${told.filter(Boolean).join(" · ")}`), running ? bar : null,
      running ? el("button", { type: "button", class: "quiet", onclick: () => ask(`/v1/jobs/${job.id}`, { method: "DELETE" }) }, "Stop") : null);
  };
  const names = Object.entries(roots.roots);
  const rows = [
    ["Pictures", `${plural(status.items, "file")}, ${count(status.pictures)} different`],
    ["Texts", `${count(status.texts)}, used ${plural(status.captions, "time")} as captions`],
    ["Model", status.serving ? status.serving.model : "none yet"],
    ["Vision-language model", status.caller.vlm],
    ["Size", status.bytes ? bytes(status.bytes) : ""],
    ["Folders", status.roots.join("\n")],
    ["Access", `${status.caller.name} (${status.caller.scope}${status.caller.folder ? `, ${status.caller.folder}` : ""})`],
  ];
  panel(dialog, "Library",
    el("table", {}, ...rows.filter(([, value]) => value).map(([label, value]) => el("tr", {}, el("th", { scope: "row" }, label), el("td", {}, value)))),
    rules ? el("section", {}, el("h2", {}, "Index"),
      names.length
        ? el("div", { class: "actions" }, ...names.map(([root, path]) => el("button", { type: "button", title: path, onclick: () => start(root, false) }, `Index ${root}`)))
        : el("p", { class: "hint" }, "This server does not allow indexing folders from here."),
      work, error) : null,
    el("section", {}, el("h2", {}, "Problems"),
      problems.length
        ? el("div", {}, el("table", {}, el("tr", {}, el("th", {}, "file"), el("th", {}, "why it could not be used")),
            ...problems.slice(0, 200).map((problem) => el("tr", {}, el("td", { title: problem.path }, name(problem.path)), el("td", {}, `${problem.reason}: ${problem.message}`)))),
          problems.length > 200 ? el("p", { class: "hint" }, `and ${count(problems.length - 200)} more`) : null,
          rules && names.length ? el("div", { class: "actions" }, ...names.map(([root]) => el("button", { type: "button", onclick: () => start(root, true) }, `Retry failed files in ${root}`))) : null)
        : el("p", { class: "hint" }, "Every file could be read.")),
    el("p", { class: "hint" }, el("a", { href: "/docs" }, "The HTTP API"),
      status.caller.name === "anyone" ? null : el("button", { type: "button", class: "quiet", onclick: leave }, "Log out")));
  const running = jobs.jobs.find((job) => job.state === "running");
  if (running) follow(running.id).catch(() => {});
  else if (jobs.jobs[0]) draw(jobs.jobs[0]);
}

// --- the map --------------------------------------------------------------------------------------------------------

// An equirectangular map: the world's towns as its outline, pictures as spots. Drag to move, wheel or + and - to zoom.
export async function worldMap(dialog, { insert }) {
  const canvas = el("canvas", { class: "world", tabIndex: 0, role: "img", "aria-label": "Map of where pictures were taken" });
  const told = el("p", { class: "hint", role: "status" }, "…");
  panel(dialog, "Map", canvas, told);
  const [{ points }, { towns }] = await Promise.all([ask("/v1/map"), ask("/v1/towns")]);
  if (!points.length) { told.textContent = "No picture here says where it was taken."; }
  else told.textContent = `${plural(points.length, "picture")} with a place. Click a spot to see what was taken around it.`;
  const view = fitted(points);
  const draw = () => paint(canvas, view, points, towns);
  new ResizeObserver(draw).observe(canvas);
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width - 0.5, 0.5 - (event.clientY - box.top) / box.height];
  };
  const zoom = (factor, [x, y] = [0, 0]) => {
    const width = Math.min(360, Math.max(0.05, view.width * factor));
    view.longitude += x * (view.width - width);
    view.latitude += (y * (view.width - width)) / 2;
    view.width = width;
    draw();
  };
  let drag = null;
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY > 0 ? 1.25 : 0.8, at(event)); }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); drag = { at: at(event), moved: 0 }; });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = at(event), dx = x - drag.at[0], dy = y - drag.at[1];
    drag = { at: [x, y], moved: drag.moved + Math.abs(dx) + Math.abs(dy) };
    view.longitude -= dx * view.width;
    view.latitude -= (dy * view.width) / 2;
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && drag.moved < 0.01) chosen(at(event));
    drag = null;
  });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (move) { view.longitude += (move[0] * view.width) / 8; view.latitude += (move[1] * view.width) / 16; draw(); }
    else if (event.key === "+") zoom(0.7);
    else if (event.key === "-") zoom(1.4);
    else if (event.key === "Enter") chosen([0, 0]);
    else return;
    event.preventDefault();
  });
  const chosen = ([x, y]) => {
    const longitude = view.longitude + x * view.width, latitude = view.latitude + (y * view.width) / 2;
    const km = Math.max(1, Math.round(view.width * 111 * 0.02));
    const near = points.filter(([, lat, lon]) => Math.hypot(lat - latitude, (lon - longitude) * Math.cos((lat * Math.PI) / 180)) * 111 < km);
    if (!near.length) { told.textContent = "Nothing was taken there."; return; }
    dialog.close();
    insert(`near:${near[0][1].toFixed(4)},${near[0][2].toFixed(4)}~${km}km`);
  };
}

function fitted(points) {
  if (!points.length) return { longitude: 0, latitude: 10, width: 360 };
  const lats = points.map((point) => point[1]), lons = points.map((point) => point[2]);
  const least = (values) => values.reduce((a, b) => Math.min(a, b)), most = (values) => values.reduce((a, b) => Math.max(a, b));
  const width = Math.max(most(lons) - least(lons), 2 * (most(lats) - least(lats)), 4) * 1.3;
  return { longitude: (most(lons) + least(lons)) / 2, latitude: (most(lats) + least(lats)) / 2, width: Math.min(360, width) };
}

function paint(canvas, view, points, towns) {
  const scale = devicePixelRatio, width = canvas.clientWidth * scale, height = canvas.clientHeight * scale;
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d"), style = getComputedStyle(canvas);
  const x = (longitude) => ((longitude - view.longitude) / view.width + 0.5) * width;
  const y = (latitude) => (0.5 - (2 * (latitude - view.latitude)) / view.width) * height;
  const colour = (name) => style.getPropertyValue(name);
  context.fillStyle = style.color;
  context.globalAlpha = 0.28;
  const dot = Math.max(1, Math.min(5, 1.1 * scale * Math.sqrt(360 / view.width) * 0.6));
  const named = [];
  for (const [latitude, longitude, people, town] of towns) {
    const [left, top] = [x(longitude), y(latitude)];
    if (left < 0 || top < 0 || left > width || top > height) continue;
    context.fillRect(left, top, dot, dot);
    named.push([people, left, top, town]);
  }
  context.globalAlpha = 0.75;
  context.font = `${11 * scale}px system-ui`;
  const taken = [];
  for (const [, left, top, town] of named.sort((a, b) => b[0] - a[0]).slice(0, 400)) {
    if (taken.length >= 14) break;
    if (taken.some(([l, t]) => Math.abs(l - left) < 90 * scale && Math.abs(t - top) < 22 * scale)) continue;
    taken.push([left, top]);
    context.fillText(town, left + 5 * scale, top - 3 * scale);
  }
  context.globalAlpha = 0.85;
  context.fillStyle = colour("--main");
  context.strokeStyle = colour("--ground");
  for (const [, latitude, longitude] of points) {
    context.beginPath();
    context.arc(x(longitude), y(latitude), 5 * scale, 0, 7);
    context.fill();
    context.stroke();
  }
}
