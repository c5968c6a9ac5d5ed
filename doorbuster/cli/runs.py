"""How commands are told which run is meant, and `journal`, which prints what happened in one."""

from pathlib import Path
from typing import Annotated

import typer

from doorbuster.journal import JournalEvent
from doorbuster.rundir import find_run, read_records
from reports.reading.timeline import Timeline

RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run directory, `latest`, or a plan's name: its latest."),
]
RunsOption = Annotated[
    Path, typer.Option("--runs", metavar="DIR", help="Where run directories are.")
]
RUNS = Path("runs")


def journal(run: RunArgument = "latest", runs: RunsOption = RUNS) -> None:
    """Print what happened in a run and when, also while it goes on."""
    timeline = Timeline(tuple(read_records(find_run(runs, run).journal, JournalEvent)))
    for event in timeline.journal:
        at_s = timeline.at_s(event)
        moment = event.wall[11:23] if at_s is None else f"{at_s:+.3f} s"
        edge = "" if event.edge == "point" else event.edge
        details = "  ".join(f"{name}={value}" for name, value in event.detail.items())
        print(f"{moment:>12}  {event.kind:7} {edge:6}  {event.name}  {details}".rstrip())
