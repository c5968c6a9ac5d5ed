"""Whoever ends a rehearsal, and however: nothing of it is left, and what was seen can be read.

Method: play a small plan as a user does, wait for a moment that its journal tells, and end the
director. Then look for its processes, folders and shared memory, and write its report again.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from doorbuster import leftovers
from doorbuster.journal import JournalEvent
from doorbuster.rundir import read_records
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(180)]

BOUND_S = 30.0
REACH_S = 60.0
DOORBUSTER = (sys.executable, "-m", "doorbuster")
PLAN = """\
name: drill
storefront: {hold: 4s}
sale:
  opens_at: rush
  items: [{sku: "BASE-{n}", count: 5, stock: 100, price: "9.90", demand: 100%}]
traffic:
  warmup: 1s
  arrivals:
    - {phase: baseline, for: 3s, rate: 8/s}
    - {phase: rush, for: 30s, rate: 8/s}
faults:
  - {at: rush+1s, for: 4s, on: payments, latency: {delay: 300ms}}
  - {at: rush+3s, on: postgres, failover: {detection: 4s}}
"""


@dataclass
class Director:
    """A rehearsal that goes on."""

    process: "subprocess.Popen[bytes]"
    run: Path

    @property
    def run_id(self) -> str:
        return f"drill-{self.run.name}".lower()

    @property
    def seen(self) -> list[tuple[str, str, str]]:
        """The events of the journal so far."""
        journal = self.run / "journal.ndjson"
        return [(e.kind, e.edge, e.name) for e in read_records(journal, JournalEvent)]

    def reach(self, moment: tuple[str, str, str]) -> None:
        assert eventually(lambda: moment in self.seen, bound_s=REACH_S), self.seen

    def left(self) -> list[str]:
        return leftovers.leftovers_of(self.run_id)


@contextmanager
def rehearsing(folder: Path, *, proxy: str = "auto", plan: str = PLAN) -> Iterator[Director]:
    file = folder / "drill.yaml"
    file.write_text(plan)
    command = (*DOORBUSTER, "rehearse", str(file), "--runs", str(folder), "--proxy", proxy)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        runs = folder / "drill"
        assert eventually(lambda: any(runs.glob("*Z/journal.ndjson")), bound_s=REACH_S)
        (journal,) = runs.glob("*Z/journal.ndjson")
        director = Director(process, journal.parent)
        try:
            yield director
        finally:
            process.kill()


def report_of(director: Director, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = (*DOORBUSTER, "report", str(director.run), "--runs", str(folder))
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


KILLED_AT = {
    "starting": ("stage", "begin", "stack"),
    "the shop is up": ("stage", "begin", "traffic"),
    "a toxic is active": ("fault", "active", "payments latency"),
    "the primary is dead": ("step", "point", "primary ended"),
    "cleaning up": ("stage", "begin", "clean-up"),
}


@pytest.mark.parametrize("moment", KILLED_AT)
def test_nothing_is_left_of_a_killed_director(moment: str, tmp_path: Path) -> None:
    with rehearsing(tmp_path) as director:
        if moment == "cleaning up":
            director.reach(("stage", "begin", "traffic"))
            director.process.send_signal(signal.SIGINT)
        director.reach(KILLED_AT[moment])
        director.process.kill()
        director.process.wait()
        assert eventually(lambda: not director.left(), bound_s=BOUND_S), director.left()
    again = report_of(director, tmp_path)
    assert again.returncode == 4, again.stdout + again.stderr
    assert "the director died" in (director.run / "report.html").read_text()


@pytest.mark.parametrize(
    ("moment", "ended_by"),
    [
        ("starting", signal.SIGINT),
        ("a toxic is active", signal.SIGTERM),
        ("the primary is dead", signal.SIGINT),
    ],
)
def test_a_director_that_is_asked_to_stop_ends_in_order(
    moment: str, ended_by: signal.Signals, tmp_path: Path
) -> None:
    with rehearsing(tmp_path) as director:
        director.reach(KILLED_AT[moment])
        director.process.send_signal(ended_by)
        assert director.process.wait(BOUND_S) == 5
        assert director.left() == []
    assert ("stage", "point", "clean") in director.seen
    assert "stopped by hand" in (director.run / "report.html").read_text()
    if moment != "starting":
        assert ("stage", "point", "ledger read") in director.seen


def test_asked_twice_it_only_cleans_up(tmp_path: Path) -> None:
    with rehearsing(tmp_path) as director:
        director.reach(KILLED_AT["a toxic is active"])
        director.process.send_signal(signal.SIGINT)
        os.kill(director.process.pid, signal.SIGINT)
        assert director.process.wait(BOUND_S) == 5
        assert director.left() == []


def test_a_proxy_that_dies_by_itself_fails_the_harness(tmp_path: Path) -> None:
    """Without it nobody can say what the shop was put through; all else is cleaned up."""
    with rehearsing(tmp_path) as director:
        director.reach(("phase", "begin", "rush"))
        kill_component(director.run_id, "proxy")
        assert director.process.wait(60) == 4
        assert director.left() == []
    assert "the proxy died" in (director.run / "report.html").read_text()


def kill_component(run_id: str, component: str) -> None:
    for process in leftovers.stack_processes_of(run_id):
        try:
            if process.environ().get(leftovers.COMPONENT_MARK) == component:
                process.kill()
        except psutil.Error:
            continue
