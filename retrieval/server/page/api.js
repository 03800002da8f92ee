// The HTTP API: one function for each question. Errors are `Failure`s with words for people.

import { said, t } from "./words.js";

const BASE = new URL("..", import.meta.url); // the page may lie below a path of a proxy

export class Failure extends Error {
  constructor(status, error) {
    super(status === 429 ? t("busy") : status >= 500 && error.type !== "ModelRefused" && error.type !== "ModelError" ? t("serverFault") : said(error.message) || t("errorTitle"));
    Object.assign(this, { status, type: error.type, place: error.place, meant: error.message.match(/perhaps (\S+?)[;,]?(?:\s|$)/)?.[1], original: error.message });
  }
}

export const events = new EventTarget(); // "login", "offline", "online"

async function answered(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    events.dispatchEvent(new Event("offline"));
    throw Object.assign(new Failure(0, { type: "offline", message: "" }), { message: t("offlineError") });
  }
  events.dispatchEvent(new Event("online"));
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({ error: { type: "http", message: answer.statusText } }));
  if (answer.status === 401) events.dispatchEvent(new Event("login"));
  throw new Failure(answer.status, told.error);
}

export function address(path, query) {
  const at = new URL(path, BASE);
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== "") at.searchParams.append(name, each);
    }
  }
  return at.href;
}

export async function ask(path, { method = "GET", query, body, signal } = {}) {
  const form = body instanceof FormData;
  const options = { method, signal, body: form ? body : body && JSON.stringify(body) };
  if (body && !form) options.headers = { "content-type": "application/json" };
  return (await answered(address(path, query), options)).json();
}

// Server-sent events of a request, one after the other: {event, data}.
export async function* stream(path, { query, method = "GET", body, signal } = {}) {
  const answer = await answered(address(path, query), { method, body, signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value.replaceAll("\r\n", "\n");
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s).slice(0, 2)));
      if (!fields.event) continue;
      const data = fields.data ? JSON.parse(fields.data) : null;
      if (fields.event === "error") throw new Failure(400, data.error);
      yield { event: fields.event, data };
    }
  }
}

// Addresses of pictures name what they show, so that a browser never shows another one from its cache.
export const thumbnail = ({ item, digest }, size = 320) => address(`v1/items/${item}/thumbnail`, { size, digest });
export const original = ({ item, digest }, more) => address(`v1/items/${item}/original`, { digest, ...more });
