"""`doorbuster rehearse`: one run of a plan, from the first process to the report."""

from typing import Annotated

import typer

from chaos.calls import calls_for, proxy_names
from doorbuster.cli.acting import act
from doorbuster.cli.interrupts import listening
from doorbuster.cli.plans import (
    DEFAULT_PLAN,
    PlanArgument,
    SeedOption,
    SetOption,
    find_plan,
    summary_of,
)
from doorbuster.cli.plug import Guard, Plug, ProxyOption
from doorbuster.cli.results import RUNS, RunsOption
from doorbuster.cli.screen import Screen, print_review
from doorbuster.faults import Down, Latency, ResetPeer, Timeout
from doorbuster.journal import Journal
from doorbuster.plan import Plan
from doorbuster.plan.stored import store_plan
from doorbuster.run import Rehearsal
from doorbuster.rundir import new_run
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
        with Journal(run.journal) as journal:

            def play(guard: Guard) -> None:
                plug = Plug(screen.plan, run, guard, journal, screen, interrupts)
                Rehearsal(screen.plan, plug.parts(), journal).run()

            act(run, journal=journal, screen=screen, proxy=proxy, body=play)
        reviewed = review.review(run)
    print_review(reviewed, run)
    return reviewed.exit_code


def print_timeline(plan: Plan) -> None:
    """Print what would happen when, with the calls to the proxy as they would be sent."""
    print(f"{plan.name}: {summary_of(plan)}")
    counts = plan.traffic.counts
    courses = {
        phase.phase: f"{phase.text}; {counts[phase.phase]:,} sessions"
        for phase in plan.traffic.arrivals
    }
    for event in timeline(plan):
        edge = "begin" if event.begins else "end"
        course = f": {courses[event.name]}" if event.kind == "phase" and event.begins else ""
        print(f"{event.at_s:8.2f} s  {edge:5}  {event.kind} {event.name}{course}")
        if event.fault is None:
            continue
        match event.fault.kind:
            case Latency() | Timeout() | ResetPeer() | Down() as kind:
                proxies = proxy_names(event.fault, "RUN")
                for breakage in calls_for(event.fault.name, kind, proxies):
                    print(f"{'':19}{breakage.begin if event.begins else breakage.end}")
            case kind:
                print(f"{'':19}{event.fault.word} {event.fault.on} {kind!r}")
