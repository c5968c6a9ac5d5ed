"""A shop that runs elsewhere, rehearsed by the command: what each level lets us know."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from doorbuster.cli.main import run as doorbuster
from doorbuster.journal import JournalEvent
from doorbuster.locks import locked
from doorbuster.rundir import read_records
from tests.other_shops import ADAPTERS, OtherShop, other_shop, respond_forms

pytestmark = pytest.mark.integration

PLAN = """
name: elsewhere
stack: external
shop: {shop}
target:
  base_url: {url}
  settle: 100ms
{more}
sale:
  opens_at: rush
  items: [{{sku: HOT, stock: 40, price: "99.00", demand: 100%}}]
traffic:
  arrivals:
    - {{phase: baseline, for: 3s, rate: 15/s}}
    - {{phase: rush, for: 4s, rate: 15/s}}
  personas: {{patient: 100}}
  warmup: 1s
  timeout: 5s
  patience: 6s
  max_lateness: 5s
good_within: {{view: 5s, reserve: 5s, pay: 5s}}
budgets:
  - errors <= 1%
  - p99(view) <= 5s
{faults}
"""
NEEDS_THE_LEDGER = {
    "no_oversell",
    "stock_conserved",
    "no_order_lost",
    "no_phantom_order",
    "one_order_per_key",
}
NEEDS_THE_PROVIDER = {"no_double_charge", "no_orphan_charge"}


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    called = (sys.executable, "-m", "doorbuster", *arguments)
    return subprocess.run(called, capture_output=True, text=True, timeout=120, check=False)


def written(folder: Path, shop: OtherShop, *, more: str = "", faults: str = "") -> str:
    path = folder / "elsewhere.yaml"
    adapter = ADAPTERS / "forms.yaml"
    path.write_text(PLAN.format(shop=adapter, url=shop.url, more=more, faults=faults))
    return str(path)


def rehearsed(plan: str, runs: Path) -> tuple[int, dict, Path]:
    done = command("rehearse", plan, "--runs", str(runs), "--proxy", "embedded")
    run = (runs / "elsewhere" / "latest").resolve()
    verdicts = json.loads((run / "verdicts.json").read_text())
    verdicts["screen"] = done.stdout
    return done.returncode, verdicts, run


def test_with_operations_only_the_books_are_out_of_reach(tmp_path):
    """Level 2: a gate in CI passes on its budgets, and nobody is told that nothing was lost."""
    with other_shop(respond_forms, stock=40) as shop:
        code, verdicts, run = rehearsed(written(tmp_path, shop), tmp_path / "runs")
    assert (code, verdicts["reasons"]) == (0, [])
    asked = {verdict["name"] for verdict in verdicts["verdicts"]}
    assert asked == {"generator_healthy", "errors <= 1%", "p99(view) <= 5s"}
    assert set(verdicts["not_possible"]) >= NEEDS_THE_LEDGER | NEEDS_THE_PROVIDER
    assert "L3, its own final record" in verdicts["not_possible"]["no_order_lost"]
    assert "not possible at this level" in verdicts["screen"]
    assert "no_order_lost: not possible at this level" in (run / "report.html").read_text()
    assert "Not possible at this level" in (run / "summary.md").read_text()
    assert not {"GET ops", "PUT ops"} & set(shop.seen)
    assert shop.marks == {json.loads((run / "plan.json").read_text())["run_id"]}


def events(run: Path) -> list[JournalEvent]:
    return list(read_records(run / "journal.ndjson", JournalEvent))


def test_with_its_ledger_orders_are_compared_and_its_door_can_be_slowed(tmp_path):
    """Level 3, a proxy of ours before its door, and commands: a slow edge, seen and gone again."""
    more = '  ledger: {{url: "{url}/ledger"}}'
    shut = tmp_path / "shut"
    hooks = f"{{begin: [touch, {shut}], end: [rm, {shut}], verify: [test, -e, {shut}]}}"
    faults = (
        "faults:\n  - {at: rush+1s, for: 1s, on: edge, latency: {delay: 300ms}}\n"
        f"  - {{at: rush+2500ms, for: 500ms, on: till, hooks: {hooks}}}"
    )
    with other_shop(respond_forms, stock=40) as shop:
        plan = written(tmp_path, shop, more=more.format(url=shop.url), faults=faults)
        code, verdicts, run = rehearsed(plan, tmp_path / "runs")
    rulings = {verdict["name"]: verdict["ruling"] for verdict in verdicts["verdicts"]}
    assert code in (0, 3), verdicts["reasons"]
    for check in ("no_oversell", "no_order_lost", "no_phantom_order", "one_order_per_key"):
        assert rulings[check] == "pass", verdicts
    assert set(verdicts["not_possible"]) >= NEEDS_THE_PROVIDER
    assert not set(verdicts["not_possible"]) & set(rulings)
    summary = json.loads((run / "summary.json").read_text())
    assert [fault["name"] for fault in summary["recovery"]] == ["edge latency", "till hooks"]
    assert all(fault["lifted_s"] is not None for fault in summary["recovery"])
    assert (run / "logs" / "hooks.log").read_text().count("$ test -e") == 2
    assert not shut.exists()
    assert "faults" in next(e for e in events(run) if e.name == "shop").detail["offers"]


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("127.0.0.1:", "127.0.0.9:", 2, "host '127.0.0.9' is not in `allow_hosts`"),
        ("  settle: 100ms", "  allow_hosts: [shop.example]", 2, "not in `allow_hosts`"),
        (
            "  settle: 100ms",
            "  marker: {path: /healthz, header: X-Environment, matches: test}",
            4,
            "is 'staging', expected the marker 'test'; is this production?",
        ),
        ("forms.yaml", "none.yaml", 2, "expected an adapter file"),
        (
            "  settle: 100ms",
            "  ledger: {dsn_env: NO_SUCH_DSN, queries: {orders: SELECT}}",
            2,
            "dsn_env 'NO_SUCH_DSN' is not set",
        ),
        (
            "budgets:",
            "faults: [{at: rush+1s, for: 1s, on: till, hooks: {begin: [ls], end: [./nowhere]}}]\n"
            "budgets:",
            2,
            "fault 'till hooks': hooks.end: './nowhere' is no program here",
        ),
        ("opens_at: rush", "opens_at: 20:00", 2, "expected a zone with the time of day"),
    ],
)
def test_a_target_that_may_not_be_driven_is_not(tmp_path, capfd, old, new, *, code, message):
    with other_shop(respond_forms) as shop:
        path = Path(written(tmp_path, shop))
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        assert doorbuster(["rehearse", str(path), "--runs", str(tmp_path / "runs")]) == code
        assert not shop.seen
    out = capfd.readouterr()
    assert message in " ".join((out.out + out.err).split())


def test_a_sale_that_has_opened_already_is_not_waited_for(tmp_path, capfd):
    with other_shop(respond_forms) as shop:
        path = Path(written(tmp_path, shop))
        gone = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%H:%MZ")
        path.write_text(path.read_text().replace("opens_at: rush", f"opens_at: {gone}"))
        assert doorbuster(["rehearse", str(path), "--runs", str(tmp_path / "runs")]) == 2
        assert not shop.seen
    assert "expected 15 s to 3,600 s" in capfd.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_what_runs_elsewhere_cannot_be_brought_up(tmp_path, capfd):
    with other_shop(respond_forms) as shop:
        assert doorbuster(["up", written(tmp_path, shop)]) == 2
        assert f"its shop runs elsewhere, at {shop.url}" in capfd.readouterr().err


def test_a_target_that_somebody_drills_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with other_shop(respond_forms) as shop:
        target = shop.url.removeprefix("http://")
        plan = written(tmp_path, shop)
        with locked(target, owner="run-1 of Ana", reason="her drill", lease_s=60):
            assert doorbuster(["rehearse", plan, "--runs", str(tmp_path)]) == 2
        assert not shop.seen
    assert f"{target} is being drilled by run-1 of Ana (her drill)" in capsys.readouterr().err
