"""A generator that somebody kills in the rush: is anybody accused for it, and is anything left?

Method: play a small plan on two workers as a user does, kill one without a warning when the rush
has begun, and look at the exit code, the verdicts and the processes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from doorbuster import leftovers
from doorbuster.journal import JournalEvent
from doorbuster.operations import OperationEvent
from doorbuster.rundir import read_records
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(180)]

REACH_S = 90.0
ENDS_WITHIN_S = 60.0
PLAN = """\
name: killed
storefront: {hold: 2s}
sale:
  opens_at: rush
  items: [{sku: "BASE-{n}", count: 5, stock: 100, price: "9.90", demand: 100%}]
traffic:
  warmup: 1s
  workers: 2
  arrivals:
    - {phase: baseline, for: 2s, rate: 10/s}
    - {phase: rush, for: 60s, rate: 20/s}
budgets:
  - goodput >= 1/s during rush
"""


def test_a_killed_worker_leaves_an_unknown_and_nothing_else(tmp_path: Path) -> None:
    plan = tmp_path / "killed.yaml"
    plan.write_text(PLAN)
    command = (sys.executable, "-m", "doorbuster", "rehearse", str(plan), "--runs", str(tmp_path))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            run = run_of(tmp_path)
            assert eventually(lambda: bought(run, worker=0) > 3, bound_s=REACH_S)
            victim = next(e for e in journal(run) if e.name == "joined" and not e.detail["worker"])
            os.kill(int(victim.detail["pid"] or 0), signal.SIGKILL)
            killed_s = time.monotonic()
            said, _ = process.communicate(timeout=ENDS_WITHIN_S)
        finally:
            process.kill()
    assert process.returncode == 3, said
    (lost,) = [e for e in journal(run) if e.kind == "worker" and e.name == "lost"]
    assert lost.detail["kept"] is True
    assert lost.monotonic_s - killed_s < 3 + 5, "seen within 3 s; some more on a busy machine"
    assert "worker 0" in str(lost.detail["message"])
    assert str(lost.detail["message"]) in (run / "report.html").read_text()
    verdicts = json.loads((run / "verdicts.json").read_text())["verdicts"]
    rulings = {verdict["name"]: verdict["ruling"] for verdict in verdicts}
    assert rulings["generator_healthy"] == "unknown"
    assert rulings["no_phantom_order"] == "pass"
    assert "fail" not in rulings.values()
    assert bought(run, worker=0) > 3
    assert leftovers.leftovers_of(f"killed-{run.name}".lower()) == []


def run_of(runs: Path) -> Path:
    def begun() -> list[Path]:
        return sorted((runs / "killed").glob("*Z/journal.ndjson"))

    assert eventually(lambda: bool(begun()), bound_s=REACH_S)
    return begun()[0].parent


def journal(run: Path) -> list[JournalEvent]:
    return list(read_records(run / "journal.ndjson", JournalEvent))


def bought(run: Path, *, worker: int) -> int:
    """Return how many orders a worker has on record."""
    events = read_records(run / "operations" / f"traffic-{worker}.ndjson", OperationEvent)
    return sum((event.op, event.type) == ("reserve", "ok") for event in events)
