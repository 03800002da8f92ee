// Indexing jobs: followed wherever one is on the page, shown in the header and in the library.

import { ask, stream } from "./api.js";
import { button, el, seconds } from "./dom.js";
import { said, t } from "./words.js";

export const jobs = Object.assign(new EventTarget(), { latest: null, running: false });

const changed = () => jobs.dispatchEvent(new Event("change"));
const label = (job) => [job.root, job.folder].filter(Boolean).join("/");

// Asks for the latest job, and follows it while it runs.
export async function watch() {
  const [latest] = (await ask("v1/jobs")).jobs;
  jobs.latest = latest ?? null;
  changed();
  if (latest?.state === "running") await follow(latest);
}

async function follow(job) {
  if (jobs.running) return;
  jobs.running = true;
  try {
    for await (const { event, data } of stream(`v1/jobs/${job.id}/events`)) {
      if (event !== "job") continue;
      jobs.latest = data;
      changed();
    }
  } finally { jobs.running = false; }
  jobs.dispatchEvent(new Event("end"));
}

export async function start(root, retry = false) {
  jobs.latest = await ask("v1/jobs", { method: "POST", body: { root, retry } });
  changed();
  follow(jobs.latest).catch(() => {});
}

async function resume(job) {
  jobs.latest = await ask(`v1/jobs/${job.id}/resume`, { method: "POST" });
  changed();
  follow(jobs.latest).catch(() => {});
}

// What a job does at this moment.
export function progress(job) {
  const { task, done, total } = job;
  const step = !task ? t("jobStarting") : task === "scan" ? t("jobScan", { count: done })
    : task === "pictures" ? t("jobPictures", { done, total: total ?? 0 }) : task === "texts" ? t("jobTexts", { done, total: total ?? 0 }) : t("jobOther");
  return [step, job.rate >= 1 ? t("jobRate", { rate: Math.round(job.rate) }) : "", job.left > 1 ? t("jobLeft", { time: seconds(job.left) }) : ""].filter(Boolean).join(" · ");
}

// A job in full, with what can be done about it.
export function drawn(job) {
  const name = label(job), report = job.report;
  if (job.state === "running") {
    const bar = el("progress", { "aria-label": t("job", { name }), max: job.total || 1 });
    if (job.total) bar.value = job.done;
    const stop = button({ onclick: () => { stop.disabled = true; stop.textContent = t("jobStopping"); ask(`v1/jobs/${job.id}`, { method: "DELETE" }); } }, t("jobStop"));
    return el("div", {}, el("p", {}, `${t("job", { name })}: ${progress(job)}`), bar, el("div", { class: "actions" }, stop));
  }
  const ends = {
    done: () => t("jobDone", { name, added: report?.added ?? 0, changed: report?.changed ?? 0, gone: report?.absent ?? 0 }),
    stopped: () => t("jobStopped"), failed: () => t("jobFailed", { why: said(job.message) }), "cut off": () => t("jobCutOff", { name }),
  };
  const wrong = job.problems.length ? ` ${t("jobProblems", { count: job.problems.length })}` : "";
  const again = job.state === "done" ? null : el("div", { class: "actions" }, button({ class: "main", onclick: () => resume(job) }, t("jobResume")));
  return el("div", {}, el("p", {}, ends[job.state]() + wrong), again);
}
