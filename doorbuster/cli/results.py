"""Commands that read a run again: `report` and `check`."""

from pathlib import Path
from typing import Annotated

import typer

from doorbuster.cli.screen import print_review
from doorbuster.rundir import find_run
from reports import review

RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run directory, `latest`, or a plan's name: its latest."),
]
RunsOption = Annotated[
    Path, typer.Option("--runs", metavar="DIR", help="Where run directories are.")
]
RUNS = Path("runs")


def report(run: RunArgument = "latest", runs: RunsOption = RUNS) -> int:
    """Write the report of a run again, from its files alone."""
    found = find_run(runs, run)
    reviewed = review.review(found)
    print_review(reviewed, found)
    return reviewed.exit_code


def check(run: RunArgument = "latest", runs: RunsOption = RUNS) -> int:
    """Check a run again, from its files alone, and write nothing."""
    found = find_run(runs, run)
    reviewed = review.check(found)
    print_review(reviewed, found, report=False)
    return reviewed.exit_code
