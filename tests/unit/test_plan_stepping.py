"""The plan of one capacity step: the shop of the plan, and nothing of its drama."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from doorbuster.arrivals import arrivals
from doorbuster.budgets import Budget, Measure, parse_budget
from doorbuster.cli.plans import ready_plans
from doorbuster.plan import LoadedPlan, Plan, load_plan
from doorbuster.plan.stepping import (
    DEFAULT_BUDGETS,
    SETTLE,
    STEADY,
    step_budgets,
    step_plan,
)
from doorbuster.plan.stored import read_plan, store_plan
from doorbuster.rundir import RunDirectory
from tests.fakes import PLAN, changed, plan_of

HIGHEST = 300.0
READY = ready_plans()


def ready(name: str) -> Plan:
    return load_plan(READY[name], source=name).plan


def tiny_with(*budgets: str) -> Plan:
    """Return the tiny plan with other budgets."""
    listed = "".join(f"  - {budget}\n" for budget in budgets)
    head, tail = PLAN[: PLAN.index("budgets:")], PLAN[PLAN.index("stop:") :]
    return plan_of(head + (f"budgets:\n{listed}" if budgets else "") + tail)


@pytest.fixture(params=READY)
def plan(request: pytest.FixtureRequest) -> Plan:
    return ready(request.param)


@pytest.fixture
def step(plan: Plan) -> Plan:
    return step_plan(plan, 40.0, highest=HIGHEST)


def test_the_arrivals_are_constant_from_the_warm_up_on(step: Plan) -> None:
    assert [p.phase for p in step.traffic.arrivals] == [SETTLE, STEADY]
    assert {p.rate for p in step.traffic.arrivals} == {(40.0, 40.0)}
    assert all(p.burst is None for p in step.traffic.arrivals)


def test_nothing_breaks_and_nothing_stops_a_step(step: Plan) -> None:
    assert (step.faults, step.stop) == ((), ())


def test_the_sale_is_open_throughout(step: Plan) -> None:
    assert (step.opens_s, step.closes_s) == (0.0, None)


def test_the_shop_and_its_shoppers_are_those_of_the_plan(plan: Plan, step: Plan) -> None:
    kept = {"name", "seed", "stack", "shop", "storefront", "good_within"}
    assert step.model_dump(include=kept) == plan.model_dump(include=kept)
    drama = {"arrivals", "warmup"}
    assert step.traffic.model_dump(exclude=drama) == plan.traffic.model_dump(exclude=drama)
    assert [item.model_copy(update={"stock": 0}) for item in step.sale.items] == [
        item.model_copy(update={"stock": 0}) for item in plan.sale.items
    ]


def test_every_item_lasts_for_all_shoppers_of_a_step_at_the_highest_rate(plan: Plan) -> None:
    """A shopper takes one unit; all may want the same SKU, and held ones come back late."""
    fastest = step_plan(plan, HIGHEST, highest=HIGHEST)
    everyone = sum(1 for _ in arrivals(fastest.traffic, fastest.seed))
    assert everyone >= HIGHEST * fastest.length_s
    assert all(item.stock >= 2 * everyone for item in fastest.sale.items)


def test_every_step_has_the_same_stock(plan: Plan) -> None:
    sales = [step_plan(plan, rate, highest=HIGHEST).sale for rate in (0.5, 12.0, 30.7, HIGHEST)]
    assert all(sale == sales[0] for sale in sales)


def test_stock_is_never_taken_from_an_item() -> None:
    plan = plan_of(changed("stock: 20", "stock: 9000000"))
    hot, base = step_plan(plan, 5.0, highest=10.0).sale.items
    assert hot.stock == 9_000_000
    assert 100 < base.stock < 9_000_000


def test_a_step_is_a_plan_that_a_person_could_have_written(plan: Plan, step: Plan) -> None:
    """Every rule of a plan holds, also those that a run directory does not ask again."""
    context = {"phases": [SETTLE, STEADY], "faults": [], "strategies": None}
    written = step.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert Plan.model_validate(written, context=context) == step
    assert step_plan(step, 40.0, highest=HIGHEST) == step


def test_a_step_survives_its_run_directory(plan: Plan, step: Plan, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "steps" / "01-40")
    run.create()
    store_plan(run, replace(LoadedPlan(plan, "ready", ()), plan=step))
    assert read_plan(run) == step


def limits_of(budgets: Iterable[Budget]) -> set[tuple[Measure, str, float]]:
    return {(budget.measure, budget.sign, budget.limit) for budget in budgets}


def test_the_budgets_of_ready_plans_keep_their_limits(plan: Plan, step: Plan) -> None:
    asked = step.parsed_budgets
    fitting = [b for b in plan.parsed_budgets if b.measure.metric in ("percentile", "errors")]
    assert {(b.during, b.outside_faults) for b in asked} == {(STEADY, False)}
    assert limits_of(asked) == limits_of(fitting or map(parse_budget, DEFAULT_BUDGETS))
    assert len(asked) == len(limits_of(asked))


def test_a_ready_plan_without_budgets_is_asked_the_default_ones() -> None:
    plan = ready("oversell")
    assert plan.budgets == ()
    assert step_budgets(plan) == [f"{budget} during steady" for budget in DEFAULT_BUDGETS]


BUDGETS = {
    "a phase": (["errors <= 2% during rush"], ["errors <= 2% during steady"]),
    "outside faults": (["errors <= 2% outside faults"], ["errors <= 2% during steady"]),
    "both": (
        ["p95(pay) < 2s during baseline  outside faults"],
        ["p95(pay) < 2s during steady"],
    ),
    "no window": (["errors(pay) <= 3%"], ["errors(pay) <= 3% during steady"]),
    "the same without windows": (
        ["errors <= 1% during rush", "errors <= 1% during baseline"],
        ["errors <= 1% during steady"],
    ),
    "the plan's order": (
        ["p99(pay) <= 2s", "errors <= 1%", "p50(pay) <= 1s"],
        [
            "p99(pay) <= 2s during steady",
            "errors <= 1% during steady",
            "p50(pay) <= 1s during steady",
        ],
    ),
    "goodput and recovery are of a run, not of a rate": (
        ["goodput >= 20/s", 'recovery("payments latency") <= 10s', "p99(view) <= 1s"],
        ["p99(view) <= 1s during steady"],
    ),
    "only what a step cannot be asked": (
        ["goodput >= 20/s during rush", 'recovery("payments latency") <= 10s'],
        [f"{budget} during steady" for budget in DEFAULT_BUDGETS],
    ),
    "none": ([], [f"{budget} during steady" for budget in DEFAULT_BUDGETS]),
}


@pytest.mark.parametrize(("written", "asked"), BUDGETS.values(), ids=BUDGETS)
def test_budgets_are_asked_over_the_steady_phase(written: list[str], asked: list[str]) -> None:
    assert step_budgets(tiny_with(*written)) == asked
    assert list(step_plan(tiny_with(*written), 5.0, highest=HIGHEST).budgets) == asked


def test_what_counts_as_late_does_not_depend_on_the_rate(plan: Plan) -> None:
    limits_s = {step_plan(plan, r, highest=HIGHEST).max_lateness_s for r in (1.0, 40.0, HIGHEST)}
    assert len(limits_s) == 1
