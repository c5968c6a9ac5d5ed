"""`doorbuster capacity` as a user types it: a short search on a real shop, and what it leaves."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from doorbuster.cli.main import run as doorbuster
from doorbuster.journal import JournalEvent
from doorbuster.leftovers import leftovers_of
from doorbuster.plan.stored import read_plan
from doorbuster.rundir import RunDirectory, read_records
from reports.capacity import StepFigures

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

BOUND_S = 120
# So few shoppers are no trouble for a shop, and lateness is not what is asked here: on a machine
# that does other things beside this, the answer is still that every rate passed. Snipers leave at
# once, so that a step does not last longer than it measures.
EASY = (
    "traffic.personas={sniper: 1}",
    "traffic.arrivals.baseline.rate=4/s",
    "traffic.arrivals.rush.rate=4/s",
    "traffic.arrivals.rush.burst.visitors=1",
    "limits.rate=6/s",
    "traffic.max_lateness=2s",
    "budgets=[p99(reserve) <= 5s, errors <= 20%]",
)


def capacity(*arguments: str, runs: Path) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "doorbuster", "capacity", *arguments, "--runs", str(runs))
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=BOUND_S)


def test_a_search_up_to_a_low_rate_answers_and_leaves_nothing(tmp_path: Path) -> None:
    changes = [part for change in EASY for part in ("--set", change)]
    done = capacity("smoke", *changes, runs=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no rate above limits.rate is tried: 6 sessions a second" in done.stdout
    answer = "at least 6 sessions a second: no rate that was tried failed"
    assert f"capacity: {answer}" in done.stdout

    run = RunDirectory((tmp_path / "smoke-capacity" / "latest").resolve())
    assert leftovers_of(run.run_id) == []
    document = json.loads((run.path / "capacity.json").read_bytes())
    assert document["capacity"] == {"passed": 6.0, "failed": None, "undecided": None}
    assert document["sentence"] == answer
    page = (run.path / "report.html").read_text()
    assert f"report: {run.path / 'report.html'}" in done.stdout
    assert answer in page

    steps = msgspec.convert(document["steps"], list[StepFigures])
    assert [(step.rate_per_s, step.ruling) for step in steps] == [(4.0, "pass"), (6.0, "pass")]
    for step in steps:
        assert step.offered_per_s == step.started_per_s == step.rate_per_s
        assert step.orders_per_s > 0
        assert f"<td>{step.rate_per_s:g}/s</td>" in page
    assert_each_step_is_a_run_of_its_own(run)
    assert_the_answer_can_be_had_again(run, answer)


def assert_the_answer_can_be_had_again(run: RunDirectory, answer: str) -> None:
    page = run.path / "report.html"
    drawn = page.read_text()
    page.unlink()
    assert doorbuster(["check", str(run.path)]) == 0
    assert not page.exists()
    assert doorbuster(["report", str(run.path)]) == 0
    assert page.read_text() == drawn
    (run.path / "capacity.json").rename(run.path / "elsewhere.json")
    assert doorbuster(["report", str(run.path)]) == 2, "a search that was killed has no answer"


def assert_each_step_is_a_run_of_its_own(run: RunDirectory) -> None:
    folders = sorted((run.path / "steps").iterdir())
    assert [folder.name for folder in folders] == ["01-4", "02-6"]
    for folder, rate in zip(folders, (4.0, 6.0), strict=True):
        step = RunDirectory(folder)
        assert {p.rate for p in read_plan(step).traffic.arrivals} == {(rate, rate)}
        seen = [(e.kind, e.edge, e.name) for e in read_records(step.journal, JournalEvent)]
        assert ("run", "end", "smoke") in seen
        assert ("phase", "end", "steady") in seen


def test_a_highest_rate_of_nothing_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    done = capacity("smoke", "--highest", "0", runs=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "--highest" in done.stderr


def test_a_plan_that_does_not_exist_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    done = capacity("no-such-plan", runs=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no-such-plan" in done.stderr
    assert list(tmp_path.iterdir()) == []
