// At T0 every page opens by itself; the shop is only asked whether somebody changed its mind.
main.addEventListener("over", () => { if (main.dataset.phase === "before") show("live"); });

async function look() {
  const { status, body } = await ask("GET", "/v1/campaigns/sale");
  if (status === 404) location.reload();
  if (status !== 200) return;
  for (const each of main.querySelectorAll("[data-when=before] [data-countdown]"))
    each.dataset.countdown = body.starts_at;
  show(["scheduled", "preheat"].includes(body.phase) ? "before" : body.phase);
}

watch(look, () => 10000);
