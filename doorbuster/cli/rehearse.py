"""`doorbuster rehearse`: one run of a plan, from the first process to the report."""

import shlex
from datetime import UTC, datetime
from typing import Annotated

import typer

from chaos.calls import calls_for, proxy_names
from chaos.respond import behaviour_of, respond_call
from doorbuster.appointment import require_time
from doorbuster.cli.acting import act
from doorbuster.cli.guard import Guard
from doorbuster.cli.interrupts import listening
from doorbuster.cli.plans import (
    DEFAULT_PLAN,
    PlanArgument,
    SeedOption,
    SetOption,
    WorkersOption,
    find_plan,
    reference_shop,
    summary_of,
)
from doorbuster.cli.plug import Plug, ProxyOption
from doorbuster.cli.results import RUNS, RunsOption
from doorbuster.cli.screen import Screen, print_review
from doorbuster.cli.target import require_means
from doorbuster.cli.traffic import (
    BindOption,
    ExpectOption,
    elsewhere,
    require_reachable,
    require_sendable,
)
from doorbuster.errors import MissingPrerequisite
from doorbuster.faults import Fault, Hooks, NetworkKind, Respond
from doorbuster.journal import Journal
from doorbuster.plan import Plan
from doorbuster.plan.stored import store_plan
from doorbuster.room import lack_in
from doorbuster.run import Rehearsal
from doorbuster.rundir import RunDirectory, new_run
from doorbuster.timeline import Event, timeline
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
    workers: WorkersOption = None,
    expect_workers: ExpectOption = None,
    bind: BindOption = None,
) -> int:
    """Rehearse a sale: start the shop, send the crowd, break things, and report."""
    place = elsewhere(expect_workers, bind, workers)
    loaded = find_plan(plan, changes=changes or (), seed=seed, workers=workers or expect_workers)
    require_reachable(place, loaded.plan)
    require_sendable(place, loaded.plan)
    if dry_run:
        print_timeline(loaded.plan)
        return 0
    require_means(loaded.plan)
    wait_s = require_time(loaded.plan, now=datetime.now(UTC))
    with listening() as interrupts:
        run = new_run(runs, loaded.plan.name)
        store_plan(run, loaded)
        screen = Screen(loaded.plan, Watch(loaded.plan, run))
        screen.say(f"{loaded.plan.name}: {summary_of(loaded.plan)}")
        screen.say(f"run directory: {run.path}")
        if wait_s:
            screen.say(f"arrivals begin in {wait_s:.0f} s; opens at {loaded.plan.sale.opens_at}")
        with Journal(run.journal) as journal:

            def play(guard: Guard) -> None:
                plug = Plug(screen.plan, run, guard, journal, screen, interrupts, place)
                Rehearsal(screen.plan, plug.parts(), journal).run()

            act(run, journal=journal, screen=screen, proxy=proxy, body=play)
        reviewed = reviewed_run(run)
    print_review(reviewed, run)
    return reviewed.exit_code


def reviewed_run(run: RunDirectory) -> review.Review:
    """Judge a run and write its report; without room for it, say how to come by one later."""
    try:
        return review.review(run)
    except OSError as error:
        if lack_in(error) is None:
            raise
        raise MissingPrerequisite(
            f"the report cannot be written ({error.strerror}): once it can, "
            f"`doorbuster report {run.path}` does"
        ) from error


def print_timeline(plan: Plan) -> None:
    """Print what would happen when, with the calls to the proxy as they would be sent."""
    print(f"{plan.name}: {summary_of(plan)}")
    counts = plan.traffic.counts
    courses = {
        phase.phase: f"{phase.text}; {counts[phase.phase]:,} sessions"
        for phase in plan.traffic.arrivals
    }
    redis = reference_shop().has_redis(plan.storefront)
    for event in timeline(plan):
        edge = "begin" if event.begins else "end"
        course = f": {courses[event.name]}" if event.kind == "phase" and event.begins else ""
        print(f"{event.at_s:8.2f} s  {edge:5}  {event.kind} {event.name}{course}")
        if event.fault is None:
            continue
        for line in dry_lines(event.fault, event, redis=redis, seed=plan.seed):
            print(f"{'':19}{line}")


def dry_lines(fault: Fault, event: Event, *, redis: bool, seed: int) -> list[str]:
    """Return what would be done at one moment of a fault; a beat of a flap turns it round."""
    match fault.kind:
        case Respond() as kind:
            told = {fault.name: behaviour_of(kind, seed=seed)} if event.begins else {}
            return [str(respond_call(told))]
        case Hooks(begin=begin, end=end):
            return [shlex.join(begin if event.begins else end)]
        case kind if not isinstance(kind, NetworkKind):
            return [f"{fault.word} {fault.on} {kind!r}"]
    # The first beat of a flap ends what its begin began, the second begins it again.
    begins = event.begins if event.kind == "fault" else event.beat % 2 == 0
    proxies = [name for name in proxy_names(fault, "RUN") if redis or not name.endswith("-redis")]
    breakages = calls_for(fault.name, fault.kind, proxies)
    return [str(breakage.begin if begins else breakage.end) for breakage in breakages]
