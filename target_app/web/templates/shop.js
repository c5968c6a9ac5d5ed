"use strict";
// What all pages share: the shop's clock, asking the shop, and what this browser remembers.
// Words are in the HTML; scripts only choose which of them are seen.
const main = document.querySelector("main");
const UNDECIDED = [0, 429, 500, 502, 503, 504];
const ATTEMPTS = 8;

// The shop's time when it spoke, and the monotonic time at which it was heard: a visitor's wall
// clock may be minutes off, and may be set while the page is open.
let said_ms = Date.parse(main.dataset.serverTime);
let heard_ms = performance.getEntriesByType("navigation")[0]?.responseStart ?? performance.now();
const now_ms = () => said_ms + performance.now() - heard_ms;

const pause = (wait_ms) => new Promise((resume) => setTimeout(resume, wait_ms));
// Spread, or a crowd that was turned away together would come back together.
const spread = (wait_ms) => wait_ms * (0.75 + Math.random() / 2);

// Not crypto.randomUUID: browsers have that for HTTPS and localhost only.
function token() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function ask(method, path, { body, key, admission } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (admission) headers["Admission-Token"] = admission;
  try {
    const answer = await fetch(path, {
      method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(15000),
    });
    const time_ms = Date.parse(answer.headers.get("X-Server-Time"));
    if (!Number.isNaN(time_ms)) [said_ms, heard_ms] = [time_ms, performance.now()];
    const wait_ms = 1000 * Number(answer.headers.get("Retry-After") ?? 0);
    return { status: answer.status, body: await answer.json(), wait_ms };
  } catch {
    return { status: 0, body: {}, wait_ms: 0 };
  }
}

// An answer after which nobody knows, or after which the shop wants the same question again.
const undecided = ({ status, body }) =>
  UNDECIDED.includes(status) || body.code === "key_in_flight";

// Repeat under the same key until the shop has said yes or no: once is what it counts as.
async function insist(path, question, meanwhile = "asking_again") {
  let answer;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    answer = await ask("POST", path, question);
    if (!undecided(answer)) break;
    tell(meanwhile);
    await pause(spread(Math.max(answer.wait_ms, Math.min(8000, 500 * 2 ** attempt))));
  }
  return answer;
}

function tell(code) {
  const all = [...main.querySelectorAll("[data-told]")];
  const wanted = all.find((each) => each.dataset.told === code);
  const shown = wanted ?? (code && all.find((each) => each.dataset.told === "refused"));
  for (const each of all) each.hidden = each !== shown;
}

function show(phase) {
  main.dataset.phase = phase;
  for (const each of main.querySelectorAll("[data-when]"))
    each.hidden = !each.dataset.when.split(" ").includes(phase);
}

// A browser may refuse to remember, or to remember more; then it forgets with the page. What it
// would not take is newer than what it may still have.
const forgetful = new Map();
const memory = {
  get(name) {
    if (forgetful.has(name)) return forgetful.get(name);
    try { return JSON.parse(localStorage.getItem(name)); } catch { return null; }
  },
  set(name, value) {
    try {
      localStorage.setItem(name, JSON.stringify(value));
      forgetful.delete(name);
    } catch { forgetful.set(name, value); }
  },
  forget(name) {
    forgetful.delete(name);
    try { localStorage.removeItem(name); } catch { /* nothing was kept */ }
  },
};

function span(left_ms) {
  const left_s = Math.max(0, Math.ceil(left_ms / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const days = Math.floor(left_s / 86400);
  const rest = [left_s / 3600 % 24, left_s / 60 % 60, left_s % 60].map(Math.floor).map(two);
  return (days ? `${days} d ` : "") + rest.join(":");
}

function tick() {
  for (const each of main.querySelectorAll("[data-countdown]")) {
    const left_ms = Date.parse(each.dataset.countdown) - now_ms();
    each.textContent = span(left_ms);
    if (left_ms <= 0) main.dispatchEvent(new Event("over"));
  }
}

for (const each of main.querySelectorAll("time")) {
  const style = { dateStyle: "medium", timeStyle: "medium" };
  each.textContent = new Date(each.dateTime).toLocaleString(undefined, style);
}
setInterval(tick, 200);

// Ask in turns of `every()` ms until that is null, and not while nobody looks.
async function watch(look, every) {
  for (let wait_ms = every(); wait_ms !== null; wait_ms = every()) {
    await pause(spread(wait_ms));
    if (!document.hidden) await look();
  }
}
