"""`doorbuster rehearse`: one run of a plan, from the first process to the report."""

import traceback
from contextlib import suppress
from typing import Annotated

import typer

from chaos.calls import calls_for, proxy_names
from doorbuster.cli.interrupts import Interrupts, listening
from doorbuster.cli.plans import (
    DEFAULT_PLAN,
    PlanArgument,
    SeedOption,
    SetOption,
    find_plan,
    summary_of,
)
from doorbuster.cli.plug import Plug, ProxyOption, guarded
from doorbuster.cli.results import RUNS, RunsOption
from doorbuster.cli.screen import Screen, print_review
from doorbuster.cli.stacks import ProxyName
from doorbuster.errors import DoorbusterError, LeftBehind
from doorbuster.faults import Down, Latency, ResetPeer, Timeout
from doorbuster.journal import Journal
from doorbuster.leftovers import leftovers_of
from doorbuster.plan import Plan
from doorbuster.plan.stored import store_plan
from doorbuster.run import Rehearsal
from doorbuster.rundir import RunDirectory, new_run
from doorbuster.timeline import timeline
from doorbuster.watch import Watch
from reports import review

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print the timeline and the exact calls; start nothing.")
]


def rehearse(
    plan: PlanArgument = DEFAULT_PLAN,
    changes: SetOption = None,
    seed: SeedOption = None,
    runs: RunsOption = RUNS,
    proxy: ProxyOption = "auto",
    dry_run: DryRunOption = False,
) -> int:
    """Rehearse a sale: start the shop, send the crowd, break things, and report."""
    loaded = find_plan(plan, changes=changes or (), seed=seed)
    if dry_run:
        print_timeline(loaded.plan)
        return 0
    with listening() as interrupts:
        run = new_run(runs, loaded.plan.name)
        store_plan(run, loaded)
        screen = Screen(loaded.plan, Watch(loaded.plan, run))
        screen.say(f"{loaded.plan.name}: {summary_of(loaded.plan)}")
        screen.say(f"run directory: {run.path}")
        act(run, screen, interrupts, proxy)
        reviewed = review.review(run)
    print_review(reviewed, run)
    return reviewed.exit_code


def act(run: RunDirectory, screen: Screen, interrupts: Interrupts, proxy: ProxyName) -> None:
    """Make the run, see that nothing of it is left, and write down what failed of the harness.

    A failure is not raised from here: the run directory holds it, and the report tells it with
    everything that was seen before.
    """
    with Journal(run.journal) as journal:
        with suppress(LeftBehind), guarded(screen.plan, run, proxy) as guard:
            play(Plug(screen.plan, run, guard, journal, screen, interrupts))
        assert_clean(run.run_id, journal)


def play(plug: Plug) -> None:
    """Play the whole run; only a clean-up that failed is raised, so that the watchdog sweeps."""
    journal, screen = plug.journal, plug.screen
    try:
        Rehearsal(plug.plan, plug.parts(), journal).run()
    except KeyboardInterrupt:
        journal.record("stop", "point", "by hand, twice", by_hand=True)
    except LeftBehind:
        raise  # is in the journal already
    except DoorbusterError as error:
        name = "clean-up" if error.exit_code == 6 else "harness"
        journal.record("failure", "point", name, message=str(error))
        screen.say(f"the harness failed: {error}")
    except Exception as error:  # noqa: BLE001 - an accident of ours must not lose the run
        journal.record("failure", "point", "harness", message=repr(error))
        log = plug.run.logs / "director.log"
        log.write_text(traceback.format_exc())
        screen.say(f"the harness failed: {error!r}, see {log}")


def assert_clean(run_id: str, journal: Journal) -> None:
    """Look for what is left of the run, last of all, and write down what was found."""
    if left := leftovers_of(run_id):
        journal.record("failure", "point", "clean-up", message=f"left behind: {'; '.join(left)}")
    else:
        journal.record("stage", "point", "clean")


def print_timeline(plan: Plan) -> None:
    """Print what would happen when, with the calls to the proxy as they would be sent."""
    print(f"{plan.name}: {summary_of(plan)}")
    for event in timeline(plan):
        edge = "begin" if event.begins else "end"
        print(f"{event.at_s:8.2f} s  {edge:5}  {event.kind} {event.name}")
        if event.fault is None:
            continue
        match event.fault.kind:
            case Latency() | Timeout() | ResetPeer() | Down() as kind:
                proxies = proxy_names(event.fault, "RUN")
                for breakage in calls_for(event.fault.name, kind, proxies):
                    print(f"{'':19}{breakage.begin if event.begins else breakage.end}")
            case kind:
                print(f"{'':19}{type(kind).__name__.lower()} {event.fault.on} {kind!r}")
