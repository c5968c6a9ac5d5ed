"""Commands that read a run again: `report` and `check`."""

from doorbuster.cli.runs import RUNS, RunArgument, RunsOption
from doorbuster.cli.screen import print_review
from doorbuster.rundir import find_run
from reports import review


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
