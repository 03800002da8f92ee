// The map: the world's towns as its outline, pictures as spots. Drag, pinch, wheel, buttons or keys move and zoom it.

import { ask } from "./api.js";
import { button, el } from "./dom.js";
import { panel } from "./panel.js";
import { count, t } from "./words.js";

const WORLD = { longitude: 0, latitude: 10, width: 360 }; // degrees
const CELL = 34; // pixels in which spots are one
const KM = 111; // kilometres of a degree

export async function worldMap(dialog, { insert }) {
  const canvas = el("canvas", { class: "world", tabIndex: 0, role: "img", "aria-label": t("mapLabel") });
  const told = el("p", { class: "hint", role: "status" }, t("loading"));
  const tool = (label, text, act) => button({ "aria-label": t(label), title: t(label), onclick: act }, text);
  panel(dialog, t("mapTitle"), el("div", { class: "map" }, canvas, el("div", { class: "zoom" },
    tool("zoomIn", "+", () => zoom(0.5)), tool("zoomOut", "−", () => zoom(2)), tool("wholeWorld", "◯", () => whole()))), told);
  const [{ points }, { towns }] = await Promise.all([ask("v1/map"), ask("v1/towns")]);
  told.textContent = points.length ? t("mapHint", { count: points.length }) : t("mapNone");
  const view = fitted(points);
  let spots = [];
  const colours = ["--ink", "--main", "--ground", "--on-main"].map((name) => colour(canvas, name)); // not anew at each move
  const draw = () => { if (canvas.clientWidth) spots = paint(canvas, view, points, towns, colours); };
  new ResizeObserver(draw).observe(canvas);

  const shape = () => canvas.clientHeight / canvas.clientWidth; // degrees up and down for each across
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width - 0.5, 0.5 - (event.clientY - box.top) / box.height];
  };
  const zoom = (factor, [x, y] = [0, 0]) => {
    const width = Math.min(360, Math.max(0.02, view.width * factor));
    view.longitude += x * (view.width - width);
    view.latitude += y * (view.width - width) * shape();
    view.width = width;
    bounded();
  };
  const pan = (dx, dy) => {
    view.longitude -= dx * view.width;
    view.latitude -= dy * view.width * shape();
    bounded();
  };
  const bounded = () => { // the world stays in sight
    view.longitude = Math.max(-180, Math.min(180, view.longitude));
    view.latitude = Math.max(-85, Math.min(85, view.latitude));
    draw();
  };
  const whole = () => { Object.assign(view, WORLD); draw(); };

  const fingers = new Map();
  let moved = 0;
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY > 0 ? 1.25 : 0.8, at(event)); }, { passive: false });
  canvas.addEventListener("dblclick", (event) => zoom(0.5, at(event)));
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); fingers.set(event.pointerId, at(event)); if (fingers.size === 1) moved = 0; });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId), now = at(event);
    if (!before) return;
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const span = ([x, y]) => Math.hypot(x - other[0], (y - other[1]) * shape());
      zoom(Math.max(0.5, Math.min(2, span(before) / Math.max(0.01, span(now)))), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
      moved = 1;
    } else {
      moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
      pan(now[0] - before[0], now[1] - before[1]);
    }
    fingers.set(event.pointerId, now);
  });
  canvas.addEventListener("pointerup", (event) => {
    const alone = fingers.size === 1;
    fingers.delete(event.pointerId);
    if (alone && moved < 0.015) chosen(event);
  });
  canvas.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [0.125, 0], ArrowRight: [-0.125, 0], ArrowUp: [0, -0.125], ArrowDown: [0, 0.125] }[event.key];
    if (move) pan(...move);
    else if (event.key === "+") zoom(0.7);
    else if (event.key === "-") zoom(1.4);
    else if (event.key === "0") whole();
    else if (event.key === "Enter") near([0, 0], 0.05);
    else return;
    event.preventDefault();
  });
  const chosen = (event) => {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const spot = spots.find((each) => Math.hypot(each.x - x, each.y - y) < each.radius + 8);
    if (!spot) { told.textContent = t("mapNothing"); return; }
    const apart = Math.max(...spot.points.map((point) => distance(point, spot.points[0])));
    show(spot.points[0], Math.max(1, Math.ceil(apart + view.width * KM * 0.004)));
  };
  const near = ([x, y], part) => {
    const here = [0, view.latitude + y * view.width * shape(), view.longitude + x * view.width];
    const km = Math.max(1, view.width * KM * part), first = points.find((point) => distance(point, here) < km);
    if (first) show(first, Math.ceil(km));
    else told.textContent = t("mapNothing");
  };
  const show = (point, km) => {
    dialog.close();
    insert(`near:${point[1].toFixed(4)},${point[2].toFixed(4)}~${km}km`);
  };
}

const distance = ([, lat, lon], [, latitude, longitude]) => KM * Math.hypot(lat - latitude, (lon - longitude) * Math.cos((lat * Math.PI) / 180));

function fitted(points) {
  if (!points.length) return { ...WORLD };
  const lats = points.map((point) => point[1]), lons = points.map((point) => point[2]);
  const least = (values) => values.reduce((a, b) => Math.min(a, b)), most = (values) => values.reduce((a, b) => Math.max(a, b));
  const width = Math.max(most(lons) - least(lons), 2 * (most(lats) - least(lats)), 4) * 1.4;
  return { longitude: (most(lons) + least(lons)) / 2, latitude: (most(lats) + least(lats)) / 2, width: Math.min(360, width) };
}

// A colour of the style sheet as a canvas takes it: worked out for light or dark.
function colour(canvas, name) {
  const probe = el("span", { hidden: true });
  probe.style.color = `var(${name})`;
  canvas.after(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// Draws the map; returns the spots in it: {x, y, radius, points}, in pixels of the page.
function paint(canvas, view, points, towns, [ink, main, ground, onMain]) {
  const scale = devicePixelRatio, width = canvas.clientWidth, height = canvas.clientHeight;
  Object.assign(canvas, { width: width * scale, height: height * scale });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const x = (longitude) => ((longitude - view.longitude) / view.width + 0.5) * width;
  const y = (latitude) => 0.5 * height - ((latitude - view.latitude) * width) / view.width;
  const dot = Math.max(1, Math.min(4, 0.7 * Math.sqrt(360 / view.width)));
  const named = [];
  context.fillStyle = ink;
  context.globalAlpha = 0.22;
  for (const [latitude, longitude, people, town] of towns) {
    const [left, top] = [x(longitude), y(latitude)];
    if (left < 0 || top < 0 || left > width || top > height) continue;
    context.fillRect(left, top, dot, dot);
    named.push([people, left, top, town]);
  }
  const spots = clustered(points, x, y, width, height);
  context.globalAlpha = 0.7;
  context.font = "11px system-ui";
  const taken = spots.map((spot) => [spot.x, spot.y]);
  let shown = 0;
  for (const [, left, top, town] of named.sort((a, b) => b[0] - a[0]).slice(0, 400)) {
    if (shown >= 14) break;
    if (taken.some(([l, u]) => Math.abs(l - left) < 80 && Math.abs(u - top) < 24)) continue;
    taken.push([left, top]);
    context.fillText(town, left + 5, top - 3);
    shown += 1;
  }
  context.globalAlpha = 1;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = "600 12px system-ui";
  context.lineWidth = 2;
  context.strokeStyle = ground;
  for (const spot of spots) {
    context.fillStyle = main;
    context.beginPath();
    context.arc(spot.x, spot.y, spot.radius, 0, 7);
    context.fill();
    context.stroke();
    context.fillStyle = onMain;
    if (spot.points.length > 1) context.fillText(count(spot.points.length), spot.x, spot.y + 0.5);
  }
  return spots;
}

function clustered(points, x, y, width, height) {
  const cells = new Map();
  for (const point of points) {
    const [left, top] = [x(point[2]), y(point[1])];
    if (left < -20 || top < -20 || left > width + 20 || top > height + 20) continue;
    const key = `${Math.floor(left / CELL)},${Math.floor(top / CELL)}`;
    const cell = cells.get(key) ?? { x: 0, y: 0, points: [] };
    cell.x += left;
    cell.y += top;
    cell.points.push(point);
    cells.set(key, cell);
  }
  return [...cells.values()].map((cell) => ({
    x: cell.x / cell.points.length, y: cell.y / cell.points.length, points: cell.points,
    radius: cell.points.length === 1 ? 6 : 9 + 2.2 * Math.log10(cell.points.length) + String(cell.points.length).length * 1.6,
  }));
}
