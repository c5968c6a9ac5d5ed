"""Commands that read a run again: `report` and `check`."""

from doorbuster.cli.runs import RUNS, RunArgument, RunsOption
from doorbuster.cli.screen import print_capacity, print_review
from doorbuster.rundir import find_run
from reports import review
from reports.capacity import exit_code, read_capacity, write_capacity


def report(run: RunArgument = "latest", runs: RunsOption = RUNS) -> int:
    """Write the report of a run again, from its files alone."""
    found = find_run(runs, run)
    if (search := read_capacity(found)) is not None:
        page = write_capacity(found, search.steps, search.capacity)
        print_capacity(search.capacity, page)
        return exit_code(search.capacity)
    reviewed = review.review(found)
    print_review(reviewed, found)
    return reviewed.exit_code


def check(run: RunArgument = "latest", runs: RunsOption = RUNS) -> int:
    """Check a run again, from its files alone, and write nothing."""
    found = find_run(runs, run)
    if (search := read_capacity(found)) is not None:
        print_capacity(search.capacity, None)
        return exit_code(search.capacity)
    reviewed = review.check(found)
    print_review(reviewed, found, report=False)
    return reviewed.exit_code
