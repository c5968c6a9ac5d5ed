// One item: the countdown, what is left, and an order under one key however often it is asked for.
const { sku, campaign } = main.dataset;
const WISH = `doorbuster.wish.${sku}`;
const form = main.querySelector("[data-buy]");
const button = form.querySelector("button");
const OPEN = ["pending_payment", "payment_processing", "authorized"];
const WAIT_MS = { before: 10000, live: 3000, "sold-out": 7000, paused: 7000, ended: 60000 };
let busy = false;

function arrange() {
  // What was asked for without an answer can only be asked for again, as it was, and that whatever
  // the sale is doing by now: it may be the order that took the last unit.
  const wish = memory.get(WISH);
  const open = wish !== null && !wish.order_id;
  const waits = has_line && in_line();
  form.hidden = !open && !waits && !form.dataset.when.split(" ").includes(main.dataset.phase);
  const needs_place = has_line && !open && !is_admitted();
  button.querySelector("[data-join]").hidden = !needs_place;
  button.querySelector("[data-first]").hidden = open || needs_place;
  button.querySelector("[data-again]").hidden = !open;
  const may = needs_place
    ? !in_line() && ["before", "live"].includes(main.dataset.phase)
    : open || main.dataset.phase === "live";
  button.disabled = busy || !may;
  button.hidden = needs_place && in_line();
  form.elements.qty.disabled = busy || open;
  if (open) form.elements.qty.value = wish.body.lines[0].qty;
}

function phase_of(body) {
  const { phase } = body.campaign;
  if (["scheduled", "preheat"].includes(phase)) return "before";
  return phase === "live" && body.stock_hint <= 0 ? "sold-out" : phase;
}

async function look() {
  const path = `/v1/products/${encodeURIComponent(sku)}`;
  const { status, body } = await ask("GET", path);
  if (status === 404) location.reload();
  if (status !== 200) return;
  main.querySelector("[data-left]").textContent = body.stock_hint;
  main.querySelector("[data-when=before] [data-countdown]").dataset.countdown =
    body.campaign.starts_at;
  show(phase_of(body));
  arrange();
}

function customer() {
  const known = memory.get("doorbuster.customer") ?? `guest-${token()}`;
  memory.set("doorbuster.customer", known);
  return known;
}

function wished() {
  const kept = memory.get(WISH);
  if (kept && !kept.order_id) return kept;
  const lines = [{ sku, qty: Number(form.elements.qty.value) }];
  const ref = `page-${token()}`;
  const body = { client_ref: ref, customer: customer(), campaign_id: campaign, lines, channel: "page" };
  const wish = { key: token(), body };
  // Kept before it is sent: a reload, or a second tab, asks for the same order and not for another.
  memory.set(WISH, wish);
  return wish;
}

async function buy() {
  busy = true;
  tell("asking");
  const wish = wished();
  arrange();
  const admission = standing?.admission_token;
  const answer = await insist("/v1/checkouts", { ...wish, admission });
  busy = false;
  if (answer.status === 201) {
    memory.set(WISH, { ...wish, order_id: answer.body.order_id });
    out_of_line(null);
    location.assign(`/orders/${answer.body.order_id}/page`);
    return;
  }
  if (!undecided(answer)) memory.forget(WISH);
  arrange();
  if (["admission_required", "sold_out"].includes(answer.body.code)) out_of_line(null);
  tell(undecided(answer) ? "undecided" : answer.body.code);
  await look();
}

// What became of what this browser asked for before.
async function recall() {
  const wish = memory.get(WISH);
  if (wish === null) return;
  const found = await ask("GET", wish.order_id
    ? `/v1/orders/${wish.order_id}`
    : `/v1/orders?client_ref=${wish.body.client_ref}`);
  if (found.status === 404 && wish.order_id) memory.forget(WISH);
  if (found.status === 404 && !wish.order_id) tell("undecided");
  if (found.status !== 200) return;
  memory.set(WISH, { ...wish, order_id: found.body.order_id });
  main.querySelector("[data-order]").href = `/orders/${found.body.order_id}/page`;
  main.querySelector("[data-mine]").hidden = false;
  if (OPEN.includes(found.body.status)) form.remove();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (busy) return;
  if (button.querySelector("[data-join]").hidden) buy();
  else join_line();
});
main.addEventListener("over", () => {
  if (main.dataset.phase !== "before") return;
  show(Number(main.querySelector("[data-left]").textContent) > 0 ? "live" : "sold-out");
  arrange();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && !busy) look(); });
arrange();
recall().then(arrange);
if (has_line) keep_place();
watch(async () => { if (!busy) await look(); }, () => WAIT_MS[main.dataset.phase] ?? 7000);
