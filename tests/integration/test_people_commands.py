"""`note`, `act` and `stop` from a second terminal, on directors that are small processes here."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doorbuster.cli.main import run as doorbuster
from doorbuster.director import director_of, runs_under_way
from doorbuster.journal import JournalEvent
from doorbuster.rundir import RunDirectory, new_run, read_records
from tests.waiting import eventually

pytestmark = pytest.mark.integration

DIRECT = """
import signal, sys, time
from pathlib import Path
from doorbuster.director import directing
from doorbuster.rundir import RunDirectory
hears = sys.argv[2] == "hears"
signal.signal(signal.SIGINT, signal.default_int_handler if hears else signal.SIG_IGN)
with directing(RunDirectory(Path(sys.argv[1]))):
    print("directing", flush=True)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""

Start = Callable[..., "tuple[RunDirectory, subprocess.Popen[str]]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start runs that somebody directs, and end their directors at the end."""
    begun: list[subprocess.Popen[str]] = []

    def one(*, hears: bool = True) -> "tuple[RunDirectory, subprocess.Popen[str]]":
        run = new_run(tmp_path, "drill")
        (run.path / "plan.json").write_text("{}")
        command = (sys.executable, "-c", DIRECT, str(run.path), "hears" if hears else "deaf")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "directing\n"
        return run, process

    yield one
    for process in begun:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def said(run: RunDirectory) -> list[tuple[str, str, object]]:
    events = read_records(run.journal, JournalEvent)
    return [(event.kind, event.name, event.detail.get("who")) for event in events]


def test_what_people_saw_and_did_is_in_the_journal(start: Start, tmp_path: Path) -> None:
    run, _ = start()
    assert doorbuster(["note", "payments hang", "--who", "Ana", "--runs", str(tmp_path)]) == 0
    assert doorbuster(["act", "paused the sale", "--who", "Ben", "--runs", str(tmp_path)]) == 0
    assert said(run) == [("note", "payments hang", "Ana"), ("act", "paused the sale", "Ben")]


def test_without_a_run_under_way_it_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doorbuster(["note", "anyone there?", "--runs", str(tmp_path)]) == 2
    assert "no rehearsal is under way" in capsys.readouterr().err


def test_of_several_runs_one_has_to_be_named(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (first, _), (second, _) = start(), start()
    assert doorbuster(["note", "which?", "--runs", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert str(first.path) in told
    assert str(second.path) in told
    named = ("--run", str(second.path), "--runs", str(tmp_path))
    assert doorbuster(["note", "this one", "--who", "Ana", *named]) == 0
    assert not first.journal.exists()
    assert said(second) == [("note", "this one", "Ana")]


def test_no_words_are_refused(start: Start, tmp_path: Path) -> None:
    run, _ = start()
    assert doorbuster(["note", "  ", "--runs", str(tmp_path)]) == 2
    assert not run.journal.exists()


def test_stop_asks_and_waits_for_the_end(start: Start, tmp_path: Path) -> None:
    run, process = start()
    stop = ("stop", "--reason", "pager", "--who", "Ana", "--wait", "30", "--runs", str(tmp_path))
    assert doorbuster(stop) == 0
    assert eventually(lambda: process.poll() == 0, bound_s=10)
    assert said(run) == [("act", "stop the run: pager", "Ana")]
    assert not (run.path / "director.json").exists()


def test_stop_ends_a_director_that_does_not_listen(start: Start, tmp_path: Path) -> None:
    run, process = start(hears=False)
    assert doorbuster(["stop", "--wait", "0.3", "--runs", str(tmp_path)]) == 0
    assert eventually(lambda: process.poll() == -9, bound_s=10)
    assert director_of(run) is None, "its record is there, and nobody behind it"
    assert runs_under_way(tmp_path) == []
