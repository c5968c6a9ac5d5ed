"""The search for capacity: which rate to try next, and what the tried ones amount to; pure.

Rates rise by a factor until one fails, then the gap between the highest that passed and the lowest
that failed is halved a few times. The result is a range, never a point: one trial per rate cannot
say more. A pass above a fail is luck, and is not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

FACTOR: Final = 1.6
HALVINGS: Final = 2
MAX_STEPS: Final = 10

Ruling = Literal["pass", "unknown", "fail"]


@dataclass(frozen=True)
class Step:
    """One rate that was tried, and whether it kept the budgets."""

    rate_per_s: float
    ruling: Ruling


@dataclass(frozen=True)
class Capacity:
    """What the steps show: rates are sessions per second.

    `passed` is the highest rate that kept the budgets below every rate that did not, `failed` the
    lowest that did not. Without `failed` capacity is at least `passed`; without `passed` it is
    below `failed`; with neither nothing is known. `undecided` is the lowest rate that gave no
    answer, such as one at which the generator was the limit.
    """

    passed: float | None
    failed: float | None
    undecided: float | None = None


def capacity(steps: Sequence[Step]) -> Capacity:
    """Return the range that the steps support."""
    failed = min((s.rate_per_s for s in steps if s.ruling == "fail"), default=None)
    below = [
        s.rate_per_s
        for s in steps
        if s.ruling == "pass" and (failed is None or s.rate_per_s < failed)
    ]
    limits = [s.rate_per_s for s in steps if s.ruling == "unknown"]
    return Capacity(max(below, default=None), failed, min(limits, default=None))


def next_rate(steps: Sequence[Step], *, start: float, highest: float) -> float | None:
    """Return the rate to try next, or None when the search is over.

    It ends at `highest`, after its halvings, after `MAX_STEPS`, or where the generator was the
    limit: beyond that no rate says anything about the shop.
    """
    if len(steps) >= MAX_STEPS:
        return None
    if not steps:
        return start
    found = capacity(steps)
    if found.failed is None:
        return _higher(steps, highest=highest)
    if steps[-1].ruling == "unknown" or _steps_since_first_fail(steps) >= HALVINGS:
        return None
    passed = found.passed or 0.0
    middle = round((passed + found.failed) / 2, 1)
    return middle if passed < middle < found.failed else None


def _higher(steps: Sequence[Step], *, highest: float) -> float | None:
    last = steps[-1]
    if last.ruling != "pass" or last.rate_per_s >= highest:
        return None
    return min(highest, round(last.rate_per_s * FACTOR, 1))


def _steps_since_first_fail(steps: Sequence[Step]) -> int:
    first = next(n for n, step in enumerate(steps) if step.ruling == "fail")
    return len(steps) - first - 1
