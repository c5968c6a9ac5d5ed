"""The baseline gate: no fault starts unless the shop was steady without one; pure.

A rehearsal on a sick shop would blame its faults for what was there before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from doorbuster.plan import Plan
from doorbuster.series import GeneratorSecond, OperationSecond, StockSecond
from doorbuster.steady import BASELINE_STEADY, error_limit, steady_share, windows

MAX_LATE: Final = 0.01
"""Share of arrivals later than the plan's `max_lateness`: its p99."""


@dataclass(frozen=True)
class Gate:
    """Whether the baseline was good enough to go on, and why not."""

    passed: bool
    steady_share: float | None
    reason: str


def baseline_gate(
    plan: Plan,
    *,
    operations: Sequence[OperationSecond],
    generator: Sequence[GeneratorSecond],
    stock: Sequence[StockSecond],
) -> Gate:
    """Judge the baseline by what is known at its end.

    Operations still open then are not counted yet: their outcome is for the final figures.
    """
    watched = windows(operations, start_s=0, end_s=int(plan.baseline_s))
    share = steady_share(watched, error_limit(0.0))
    if share is None:
        return Gate(False, None, "no operation ended during the baseline: nothing to compare with")
    reasons = [*_generator_reasons(generator), *_stock_reasons(stock)]
    if share < BASELINE_STEADY:
        reasons.insert(
            0,
            f"{share:.0%} of the baseline's seconds were steady, expected at least "
            f"{BASELINE_STEADY:.0%}",
        )
    return Gate(not reasons, share, "; ".join(reasons) or f"{share:.0%} of its seconds were steady")


def _generator_reasons(generator: Sequence[GeneratorSecond]) -> list[str]:
    measured = [row for row in generator if row.second >= 0]
    missed = sum(r.missed for r in measured)
    reasons = [f"the generator missed {missed} arrivals"] if missed else []
    for worker in sorted({row.worker for row in measured}):
        own = [row for row in measured if row.worker == worker]
        started, late = sum(r.started for r in own), sum(r.late for r in own)
        if late > MAX_LATE * started:
            reasons.append(f"the generator started {late} of {started} arrivals late")
    return reasons


def _stock_reasons(stock: Sequence[StockSecond]) -> list[str]:
    for row in stock:
        if row.available < 0 or row.available + row.reserved + row.sold != row.initial:
            return [
                f"stock of {row.sku} did not add up at {row.at_s:.1f} s: {row.available} available "
                f"+ {row.reserved} reserved + {row.sold} sold, of {row.initial}"
            ]
    return []
