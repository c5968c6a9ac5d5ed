"""One step of a capacity search as a plan of its own; pure.

Constant arrivals without bursts, rendezvous or faults, the sale open throughout, and more stock
than a step can sell, so that every step has the same mix whatever was sold before it. Users of
one's own are gone through again and again.
"""

import re
from typing import Any, Final

from doorbuster.plan.model import Plan
from doorbuster.quantities import rate_text

SETTLE: Final = "settle"
STEADY: Final = "steady"
SETTLE_S: Final = 3
STEADY_S: Final = 8
WARMUP_S: Final = 0.5

DEFAULT_BUDGETS: Final = ("p99(reserve) <= 1s", "errors <= 1%")
"""What a step has to keep when the plan sets no budget that a step can be asked for."""

_WINDOW: Final = re.compile(r"\s+(?:during\s+\S+|outside\s+faults)")


def step_plan(plan: Plan, rate_per_s: float, *, highest: float) -> Plan:
    """Return the plan of one step: `rate_per_s` sessions a second, to settle and then to measure.

    The search's `highest` rate decides the stock, which is then the same in every step.
    """
    resolved = plan.model_dump(mode="json", by_alias=True, exclude_none=True)
    rate = rate_text(rate_per_s)
    traffic = resolved["traffic"]
    if "data" in traffic:  # a higher rate has more arrivals than the plan had users
        traffic["data"]["take"] = "cycle"
    traffic |= {
        "rendezvous": [],
        "warmup": f"{WARMUP_S}s",
        "arrivals": [
            {"phase": SETTLE, "for": f"{SETTLE_S}s", "rate": rate},
            {"phase": STEADY, "for": f"{STEADY_S}s", "rate": rate},
        ],
    }
    stock = round(highest * (WARMUP_S + SETTLE_S + STEADY_S)) * 2
    resolved["sale"] = {
        "opens_at": SETTLE,
        "items": [
            {**item, "stock": max(stock, item["stock"])} for item in resolved["sale"]["items"]
        ],
    }
    resolved |= {"faults": [], "stop": [], "budgets": step_budgets(plan)}
    return Plan.model_validate(resolved)


def step_budgets(plan: Plan) -> list[str]:
    """Return the plan's budgets as a step is asked for them, over its steady phase."""
    kept: list[Any] = [
        _WINDOW.sub("", budget.text)
        for budget in plan.parsed_budgets
        if budget.measure.metric in ("percentile", "errors")
    ]
    return [f"{text} during {STEADY}" for text in dict.fromkeys(kept or DEFAULT_BUDGETS)]
