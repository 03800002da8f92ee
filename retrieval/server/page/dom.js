// Small helpers for the document. Text is always text: nothing here makes markup of strings.

export const $ = (selector, inside = document) => inside.querySelector(selector);

// el("a", {href: "/", class: "x", onclick: f}, "text", child)
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter(Boolean));
  return node;
}

export function svg(tag, props = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export const later = (work, ms) => {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), ms);
  };
};

export const name = (path) => path.split("/").pop();
export const count = (number) => number.toLocaleString("en");
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function seconds(value) {
  if (value < 1) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 90) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  return `${Math.round(value / 60)} min`;
}

export function bytes(value) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${value.toFixed(unit === "B" ? 0 : 1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

const PRECISIONS = {
  second: { dateStyle: "medium", timeStyle: "short" }, day: { dateStyle: "medium" },
  month: { year: "numeric", month: "long" }, year: { year: "numeric" },
};

export function date(text, precision = "second") {
  return new Date(text.slice(0, 19)).toLocaleString(undefined, PRECISIONS[precision]);
}

export function exposure(facts) {
  const { exposure: seconds } = facts;
  const time = seconds && (seconds < 0.4 ? `1/${Math.round(1 / seconds)} s` : `${seconds} s`);
  const parts = [time, facts.aperture && `f/${facts.aperture}`, facts.iso && `ISO ${facts.iso}`];
  return [...parts, facts.focal_length && `${facts.focal_length} mm`].filter(Boolean).join(", ");
}
