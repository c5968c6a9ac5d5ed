// An order until it is settled: pay under one key, cancel, and look again while nobody knows.
const order = main.dataset.order;
const PAYMENT = `doorbuster.payment.${order}`;
const form = main.querySelector("[data-pay]");
let busy = false;

function arrange() {
  if (!form) return;
  for (const each of form.elements) each.disabled = busy;
  const kept = memory.get(PAYMENT);
  if (kept) [form.elements.method.value, form.elements.method.disabled] = [kept.body.method, true];
}

async function look() {
  if (busy) return;
  const { status, body } = await ask("GET", `/v1/orders/${order}`);
  const changed = body.status !== main.dataset.status || String(body.version) !== main.dataset.version;
  if (status === 404 || (status === 200 && changed)) location.reload();
}

async function pay() {
  const payment = memory.get(PAYMENT) ?? { key: token(), body: { method: form.elements.method.value } };
  memory.set(PAYMENT, payment);
  const answer = await during(() => insist(`/v1/orders/${order}/payments`, payment));
  if (undecided(answer)) return tell("undecided");
  memory.forget(PAYMENT);
  if (answer.status === 200 || answer.status === 202) return location.reload();
  tell(answer.body.code);
  if (answer.status === 402) return settle_version();
  return look();
}

// A refused card leaves the order as it was, two moves later: nothing to load anew for.
async function settle_version() {
  const { status, body } = await ask("GET", `/v1/orders/${order}`);
  if (status === 200 && body.status === main.dataset.status) main.dataset.version = body.version;
  arrange();
}

async function cancel() {
  const answer = await during(() => insist(`/v1/orders/${order}/cancel`, {}));
  if (answer.status === 200) return location.reload();
  tell(undecided(answer) ? "undecided" : answer.body.code);
  return look();
}

async function during(act) {
  busy = true;
  tell("asking");
  arrange();
  try { return await act(); } finally { busy = false; arrange(); }
}

form?.addEventListener("submit", (event) => { event.preventDefault(); if (!busy) pay(); });
form?.querySelector("[data-cancel]").addEventListener("click", () => { if (!busy) cancel(); });
main.addEventListener("over", () => { if (form) for (const each of form.elements) each.disabled = true; });
arrange();
watch(look, () => {
  if ("settled" in main.dataset) return null;
  return main.dataset.status === "payment_processing" ? 1000 : 4000;
});
