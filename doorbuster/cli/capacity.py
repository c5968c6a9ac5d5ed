"""`doorbuster capacity`: raise the arrival rate in steps until a budget breaks; say the range."""

from dataclasses import dataclass, field, replace
from typing import Annotated

import typer

from doorbuster.cli.acting import act
from doorbuster.cli.guard import Guard
from doorbuster.cli.interrupts import Interrupts, listening
from doorbuster.cli.plans import (
    DEFAULT_PLAN,
    PlanArgument,
    SeedOption,
    SetOption,
    WorkersOption,
    find_plan,
)
from doorbuster.cli.plug import Plug, ProxyOption
from doorbuster.cli.runs import RUNS, RunsOption
from doorbuster.cli.screen import Screen, print_capacity
from doorbuster.cli.target import require_means
from doorbuster.components import Topology
from doorbuster.gate import Gate
from doorbuster.journal import Journal
from doorbuster.plan import LoadedPlan
from doorbuster.plan.stepping import step_plan
from doorbuster.plan.stored import store_plan
from doorbuster.run import Rehearsal
from doorbuster.rundir import RunDirectory, new_run
from doorbuster.search import Step, next_rate
from doorbuster.search import capacity as range_of
from doorbuster.watch import Watch
from reports.capacity import StepFigures, exit_code, judge_step, write_capacity

HighestOption = Annotated[
    float, typer.Option("--highest", min=1.0, help="Sessions a second beyond which to stop.")
]


def capacity(
    plan: PlanArgument = DEFAULT_PLAN,
    changes: SetOption = None,
    seed: SeedOption = None,
    runs: RunsOption = RUNS,
    proxy: ProxyOption = "auto",
    highest: HighestOption = 1000.0,
    workers: WorkersOption = None,
) -> int:
    """Find how many sessions a second the shop takes within the plan's budgets."""
    loaded = find_plan(plan, changes=changes or (), seed=seed, workers=workers)
    require_means(loaded.plan.model_copy(update={"faults": ()}))  # a step has none
    run = new_run(runs, f"{loaded.plan.name}-capacity")
    store_plan(run, loaded)
    screen = Screen(loaded.plan, Watch(loaded.plan, run))
    screen.say(f"run directory: {run.path}")
    if highest > (limit := loaded.plan.limits.rate):
        screen.say(f"no rate above limits.rate is tried: {limit:g} sessions a second")
        highest = limit
    with listening() as interrupts, Journal(run.journal) as journal:
        search = Search(loaded, run, screen, journal, interrupts, highest)
        failed = act(run, journal=journal, screen=screen, proxy=proxy, body=search.run)
    found = range_of(search.tried())
    print_capacity(found, write_capacity(run, search.steps, found))
    return failed or (5 if interrupts.asked else exit_code(found))


@dataclass
class Search:
    """One search: a stack that stays up, and a run directory for each rate that is tried."""

    loaded: LoadedPlan
    directory: RunDirectory
    screen: Screen
    journal: Journal
    interrupts: Interrupts
    highest: float
    steps: list[StepFigures] = field(default_factory=list)

    def run(self, guard: Guard) -> None:
        """Try rates until the search is over or somebody stops it."""
        plan, journal = self.loaded.plan, self.journal
        plug = Plug(plan, self.directory, guard, journal, self.screen, self.interrupts)
        start = min(self.highest, max(1.0, plan.traffic.arrivals[0].highest_rate))
        with journal.span("run", plan.name), plug.stack() as topology:
            while rate := next_rate(self.tried(), start=start, highest=self.highest):
                figures = self._step(rate, guard, topology)
                if self.interrupts.asked:
                    journal.record("stop", "point", "by hand", by_hand=True)
                    break
                self.steps.append(figures)
                self.screen.say(line(figures))

    def tried(self) -> list[Step]:
        return [Step(step.rate_per_s, step.ruling) for step in self.steps]

    def _step(self, rate: float, guard: Guard, topology: Topology) -> StepFigures:
        """Send one rate's traffic to a shop that was emptied for it, and judge it."""
        number = len(self.steps) + 1
        step = RunDirectory(self.directory.path / "steps" / f"{number:02d}-{rate:g}")
        step.create()
        plan = step_plan(self.loaded.plan, rate, highest=self.highest)
        store_plan(step, replace(self.loaded, plan=plan))
        screen = Screen(plan, Watch(plan, step), quiet=True)
        with Journal(step.journal) as journal, journal.span("run", plan.name):
            plug = Plug(plan, step, guard, journal, screen, self.interrupts)
            parts = replace(plug.parts(), gate=lambda: Gate(True, None, "a step has no baseline"))
            with parts.shop(topology) as shop:
                Rehearsal(plan, parts, journal).drive(topology, shop)
        return judge_step(step, rate)


def line(step: StepFigures) -> str:
    """Return what one step showed, in one line."""
    p99 = "no sample" if step.reserve_p99_s is None else f"{step.reserve_p99_s * 1000:.0f} ms"
    return (
        f"{step.rate_per_s:7.1f}/s  {step.ruling:<8}p99(reserve) {p99}, "
        f"{step.orders_per_s:.1f} orders/s, goodput {step.goodput_per_s or 0:.0f}/s"
        + ("" if step.ruling == "pass" else f"; {step.reasons[0]}" if step.reasons else "")
    )
