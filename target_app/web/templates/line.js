// The line before the checkout, where the shop has one: this browser's place, kept over reloads.
const LINE = `doorbuster.line.${main.dataset.campaign}`;
const has_line = main.dataset.line === "yes";
const leave_button = main.querySelector("[data-leave]");
let standing = null;

const in_line = () => memory.get(LINE) !== null;
const is_admitted = () =>
  standing?.status === "admitted" && Date.parse(standing.expires_at) > now_ms();

function show_line() {
  const at = is_admitted() ? "admitted" : standing?.position ? "waiting" : "draw";
  for (const each of main.querySelectorAll("[data-place]"))
    each.hidden = standing === null || each.dataset.place !== at;
  main.querySelector("[data-position]").textContent = standing?.position ?? "";
  main.querySelector("[data-eta]").textContent = span(Math.max(1000, 1000 * standing?.eta_s));
  const lease = main.querySelector("[data-lease]");
  if (is_admitted()) lease.dataset.countdown = standing.expires_at;
  else lease.removeAttribute("data-countdown");
  leave_button.hidden = !in_line();
  arrange();
}

function out_of_line(code) {
  standing = null;
  memory.forget(LINE);
  if (code) tell(code);
  if (has_line) show_line();
}

function heard({ status, body }) {
  if (status === 200 || status === 202) {
    standing = body;
    memory.set(LINE, body.ticket_id);
    tell(null);
    show_line();
  } else if ([404, 409, 410].includes(status)) out_of_line(body.code);
  else if (!undecided({ status, body })) tell(body.code ?? "refused");
  else if (status !== 429) tell("waiting_room_unavailable");
}

async function join_line() {
  busy = true;
  tell("asking");
  arrange();
  const body = { customer: customer(), sku };
  const path = `/v1/queue/${encodeURIComponent(campaign)}/tickets`;
  const answer = await insist(path, { body }, "joining_again");
  busy = false;
  if (undecided(answer)) tell("not_in_line");
  else heard(answer);
  arrange();
}

// Also while nobody looks: who is not heard of loses the place.
async function keep_place() {
  for (let again_ms = 0; ; await pause(spread(400))) {
    const due_ms = Math.max(again_ms, Date.parse(standing?.poll_after) || 0);
    if (!in_line() || is_admitted() || now_ms() < due_ms) continue;
    const answer = await ask("GET", `/v1/queue/tickets/${memory.get(LINE)}`);
    heard(answer);
    again_ms = now_ms() + (answer.status === 202 ? 0 : Math.max(1000, answer.wait_ms));
  }
}

if (has_line) {
  leave_button.addEventListener("click", async () => {
    await ask("DELETE", `/v1/queue/tickets/${memory.get(LINE)}`);
    out_of_line(null);
  });
  main.addEventListener("over", () => {
    if (standing?.status === "admitted" && !is_admitted()) out_of_line("position_expired");
  });
}
