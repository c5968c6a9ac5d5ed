"""A newcomer's first minutes: the short rehearsal, its report, and the same verdicts once more."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from doorbuster import leftovers
from tests.easy import EASY_SMOKE

pytestmark = [pytest.mark.smoke, pytest.mark.timeout(240)]

DOORBUSTER = Path(sys.executable).with_name("doorbuster")
CHROMIUM = shutil.which("chromium")
HEADLESS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=10000",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def rehearsal(runs: Path) -> "subprocess.CompletedProcess[str]":
    return doorbuster("rehearse", *EASY_SMOKE, "--runs", str(runs))


@pytest.fixture(scope="module")
def run(runs: Path, rehearsal: "subprocess.CompletedProcess[str]") -> Path:
    assert rehearsal.returncode == 0, rehearsal.stdout + rehearsal.stderr
    return runs / "smoke" / "latest"


def doorbuster(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (str(DOORBUSTER), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def test_it_passes_without_a_warning_and_shows_its_progress(
    run: Path, rehearsal: "subprocess.CompletedProcess[str]"
) -> None:
    assert rehearsal.stderr == ""
    for shown in ("the shop is up at", "baseline", "rush", "no_oversell", "exit 0: pass"):
        assert shown in rehearsal.stdout
    assert str(run.resolve() / "report.html") in rehearsal.stdout


def test_the_crowd_came_the_fault_was_felt_and_things_were_sold(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    assert summary["sale"]["ledger_paid"] > 50
    (paid,) = [f for f in summary["figures"] if (f["op"], f["bucket"]) == ("pay", "rush")]
    assert paid["intended"]["max_s"] > 0.2, "payments were slowed by 200 to 400 ms for a while"
    (fault,) = summary["recovery"]
    assert fault["lag_s"] is not None


def test_every_verdict_has_its_case_in_the_junit_file(run: Path) -> None:
    verdicts = json.loads((run / "verdicts.json").read_text())["verdicts"]
    suite = ET.parse(run / "junit.xml").getroot()
    cases = {case.get("name") for case in suite.iter("testcase")}
    assert {verdict["name"] for verdict in verdicts} <= cases
    assert not list(suite.iter("failure"))


def test_report_and_check_say_the_same_again(run: Path, runs: Path) -> None:
    before = (run / "verdicts.json").read_bytes()
    assert doorbuster("check", "smoke", "--runs", str(runs)).returncode == 0
    assert (run / "verdicts.json").read_bytes() == before
    (run / "report.html").unlink()
    assert doorbuster("report", "latest", "--runs", str(runs)).returncode == 0
    assert (run / "verdicts.json").read_bytes() == before
    assert (run / "report.html").exists()


def test_nothing_is_left(run: Path) -> None:
    assert leftovers.leftovers_of(f"smoke-{run.resolve().name}".lower()) == []


def test_the_report_is_one_file_that_asks_for_nothing(run: Path) -> None:
    page = (run / "report.html").read_text()
    assert (run / "report.html").stat().st_size < 3_000_000
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert re.findall(r"(?:src|href|url)\s*[=(]", markup) == []


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[str]:
    yield f"--user-data-dir={tmp_path / 'profile'}"
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH to open the report in")
def test_a_browser_draws_the_charts(run: Path, profile: str) -> None:
    page = (run / "report.html").resolve().as_uri()
    drawn = subprocess.run(
        (str(CHROMIUM), *HEADLESS, profile, "--dump-dom", "--enable-logging=stderr", page),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=dict(os.environ),
    )
    markup = re.sub(r"<script>.*?</script>", "", drawn.stdout, flags=re.DOTALL)
    charts = re.findall(r'<div class="chart[^"]*" id="chart-\d+"', markup)
    assert len(charts) >= 5
    assert markup.count("<svg") == len(charts)
    assert "CONSOLE" not in drawn.stderr, drawn.stderr
