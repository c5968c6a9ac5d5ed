"""The ready plans can be read, are short, and drills say what they are for."""

import pytest

from doorbuster.cli.plans import ready_plans, reference_shop
from doorbuster.plan import load_plan

PLANS = ready_plans()
DRILLS = (
    *("slow-provider", "hanging-provider", "late-capture", "provider-down", "webhooks"),
    *("failover-sync", "standby-lost", "hot-row-lock", "connection-exhaustion", "cache-flush"),
    *("storefront-crash", "rolling-restart", "retry-storm"),
)


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_says_what_is_expected_and_what_passes(name: str) -> None:
    plan = load_plan(PLANS[name], source=name, shop=reference_shop()).plan
    assert plan.name == name
    for word in ("Hypothesis:", "Signals:", "Passes if"):
        assert word in plan.description
    assert plan.length_s + plan.traffic.warmup <= 75
    recoveries = {budget.measure.fault for budget in plan.parsed_budgets}
    assert {fault.name for fault in plan.faults} <= recoveries or name == "webhooks"
