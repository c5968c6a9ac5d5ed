"""Commands for a second terminal: what people see and do during a run, and the emergency stop."""

import getpass
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from doorbuster.cli.runs import RUNS, RunsOption
from doorbuster.director import director_of, run_under_way
from doorbuster.errors import LeftBehind, PlanError
from doorbuster.journal import Journal
from doorbuster.leftovers import leftovers_of
from doorbuster.rundir import RunDirectory, find_run

LOOK_EVERY_S: Final = 0.1
SWEPT_WITHIN_S: Final = 20.0
"""How long the watchdog may take to clean up after a director that was killed."""

WhoOption = Annotated[
    str | None, typer.Option("--who", metavar="NAME", help="Whose words these are; default: yours.")
]
RunOption = Annotated[
    str | None, typer.Option("--run", metavar="RUN", help="Which run, if several are under way.")
]
WaitOption = Annotated[
    float,
    typer.Option("--wait", min=0.0, help="Seconds for an end in order, before it is forced."),
]


def note(
    text: Annotated[str, typer.Argument(help="What you saw.")],
    who: WhoOption = None,
    run: RunOption = None,
    runs: RunsOption = RUNS,
) -> None:
    """Note what you see, into the journal of the run that goes on."""
    _write_down("note", text, who=who, run=_meant(run, runs))


def act(
    name: Annotated[str, typer.Argument(help="What you do.")],
    who: WhoOption = None,
    run: RunOption = None,
    runs: RunsOption = RUNS,
) -> None:
    """Record what you do about a fault, into the journal of the run that goes on."""
    _write_down("act", name, who=who, run=_meant(run, runs))


def stop(
    run: RunOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; goes into the journal.")] = "",
    who: WhoOption = None,
    wait_s: WaitOption = 60.0,
    runs: RunsOption = RUNS,
) -> None:
    """Stop a run: no more arrivals, faults lifted, books read, reported; by force if need be."""
    meant = _meant(run, runs)
    director = director_of(meant)
    process = director.process if director is not None else None
    if process is None:
        print(f"{meant.path} has ended already")
        return
    _write_down("act", f"stop the run: {reason}" if reason else "stop the run", who=who, run=meant)
    process.send_signal(signal.SIGINT)
    if _comes_true(lambda: director_of(meant) is None, within_s=wait_s):
        print("it ended in order; its report says how far it came")
        return
    print(f"it did not end within {wait_s:g} s: its director is killed, the watchdog cleans up")
    process.kill()
    if not _comes_true(lambda: not leftovers_of(meant.run_id), within_s=SWEPT_WITHIN_S):
        raise LeftBehind(f"left behind: {'; '.join(leftovers_of(meant.run_id))}")
    print("nothing of it is left")


def _meant(run: str | None, runs: Path) -> RunDirectory:
    if run is None:
        return run_under_way(runs)
    found = find_run(runs, run)
    if director_of(found) is None:
        raise PlanError(f"{found.path}: this run is not under way on this machine")
    return found


def _write_down(
    kind: Literal["note", "act"], text: str, *, who: str | None, run: RunDirectory
) -> None:
    if not text.strip():
        raise PlanError(f"{kind}: expected some words, got {text!r}")
    with Journal(run.journal) as journal:
        journal.record(kind, "point", text.strip(), who=who or getpass.getuser())
    print(f"written to {run.journal}")


def _comes_true(question: Callable[[], bool], *, within_s: float) -> bool:
    give_up_s = time.monotonic() + within_s
    while not question():
        if time.monotonic() > give_up_s:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
