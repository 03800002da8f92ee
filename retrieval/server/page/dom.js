// Small helpers for the document. Text is always text: nothing here makes markup of strings.

import { count, language } from "./words.js";

export const $ = (selector, inside = document) => inside.querySelector(selector);

// el("a", {href: ".", class: "x", onclick: f}, "text", child)
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

export const button = (props, ...children) => el("button", { type: "button", ...props }, ...children);

export const later = (work, ms) => {
  let timer;
  const call = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), ms);
  };
  return Object.assign(call, { cancel: () => clearTimeout(timer) });
};

export const name = (path) => path.split("/").pop();
export const narrow = () => innerWidth < 900;

const unit = (value, kind, digits = 0) => new Intl.NumberFormat(language, { style: "unit", unit: kind, unitDisplay: "short", maximumFractionDigits: digits }).format(value);

export function seconds(value) {
  if (value < 1) return unit(Math.max(1, Math.round(value * 1000)), "millisecond");
  if (value < 90) return unit(value, "second", value < 10 ? 1 : 0);
  return unit(Math.round(value / 60), "minute");
}

export function bytes(value) {
  for (const kind of ["byte", "kilobyte", "megabyte", "gigabyte"]) {
    if (value < 1000) return unit(value, kind, kind === "byte" ? 0 : 1);
    value /= 1000;
  }
  return unit(value, "terabyte", 1);
}

const PRECISIONS = {
  second: { dateStyle: "medium", timeStyle: "short" }, day: { dateStyle: "medium" },
  month: { year: "numeric", month: "long" }, year: { year: "numeric" },
};

export const date = (text, precision = "second") => new Date(text.slice(0, 19)).toLocaleString(language, PRECISIONS[precision]);
export const monthName = (month, style = "long") => new Date(`${month}-15`).toLocaleString(language, style === "long" ? { month: "long", year: "numeric" } : { month: style });

export function exposure(facts) {
  const { exposure: seconds } = facts;
  const time = seconds && (seconds < 0.4 ? `1/${Math.round(1 / seconds)} s` : `${count(seconds)} s`);
  const parts = [time, facts.aperture && `f/${count(facts.aperture)}`, facts.iso && `ISO ${facts.iso}`];
  return [...parts, facts.focal_length && `${count(facts.focal_length)} mm`].filter(Boolean).join(" · ");
}
