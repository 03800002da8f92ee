// The reference of the HTTP API, drawn from its own description (/openapi.json).

import { $, el, fill } from "./dom.js";

const spec = await (await fetch(new URL("../openapi.json", import.meta.url))).json();
const resolve = (schema) => (schema?.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema) ?? {};

function type(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.anyOf) return schema.anyOf.map(type).filter((each) => each !== "null").join(" or ");
  if (schema.type === "array") return `list of ${type(schema.items)}`;
  return schema.format ?? schema.contentMediaType ? "file" : schema.type ?? "any";
}

const table = (rows) => rows.length ? el("table", {}, ...rows.map(([name, kind, about, needed]) =>
  el("tr", {}, el("td", {}, el("code", {}, name), needed ? " *" : ""), el("td", {}, kind), el("td", {}, about ?? "")))) : null;

function route(path, method, about) {
  const given = (about.parameters ?? []).map((each) => [each.name, type(each.schema), each.description ?? each.schema.description, each.required]);
  const bodies = Object.entries(about.requestBody?.content ?? {}).flatMap(([, { schema }]) => {
    const whole = resolve(schema);
    return Object.entries(whole.properties ?? {}).map(([name, part]) => [name, type(part), part.description, whole.required?.includes(name)]);
  });
  const multipart = about.requestBody?.content?.["multipart/form-data"];
  const send = about.requestBody ? (multipart ? " -F image=@photo.jpg" : " -H 'content-type: application/json' -d '{…}'") : "";
  return el("details", {}, el("summary", {}, el("b", {}, method.toUpperCase()), el("code", {}, path), about.summary),
    el("p", {}, about.description ?? ""), table(given),
    bodies.length ? el("h3", {}, multipart ? "Form" : "JSON") : null, table(bodies),
    el("pre", {}, `curl${method === "get" ? "" : ` -X ${method.toUpperCase()}`}${send} '${location.origin}${path}'`));
}

const groups = {};
for (const [path, methods] of Object.entries(spec.paths)) {
  for (const [method, about] of Object.entries(methods)) (groups[about.tags?.[0] ?? "other"] ??= []).push(route(path, method, about));
}
$("#about").textContent = spec.info.description;
fill($("#routes"), ...Object.entries(groups).flatMap(([tag, routes]) => [el("h2", {}, tag), ...routes]));
