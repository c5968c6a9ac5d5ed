"""The guards of a plan: what counts as its peak, and how many faults share a moment."""

import pytest

from doorbuster.errors import PlanError
from doorbuster.plan.limits import most_at_once, peak_per_s
from tests.fakes import PLAN, changed, plan_of

TWO_AT_ONCE = changed("at: rush+4s, on: postgres", "at: rush+2s, on: postgres")


@pytest.mark.parametrize(
    ("spans_s", "most"),
    [
        ([], 0),
        ([(1, 2)], 1),
        ([(1, 2), (2, 3)], 1),
        ([(1, 3), (2, 4), (3, 5)], 2),
        ([(1, 9), (2, 3), (4, 5), (4, 6)], 3),
    ],
)
def test_faults_at_once(spans_s: list[tuple[float, float]], most: int) -> None:
    assert most_at_once(spans_s) == most


def test_a_burst_counts_by_its_busiest_second() -> None:
    assert peak_per_s(plan_of().traffic) == 60 + 30
    quick = changed("spread: 1s", "spread: 100ms")
    assert peak_per_s(plan_of(quick).traffic) == 60 + 30
    slow = changed("spread: 1s", "spread: 3s")
    assert peak_per_s(plan_of(slow).traffic) == 60 + 10


def test_more_faults_at_once_than_allowed_are_refused() -> None:
    plan_of(TWO_AT_ONCE)
    with pytest.raises(PlanError, match=r"2 faults .* at most limits.concurrent_faults \(1\)"):
        plan_of(TWO_AT_ONCE + "limits: {concurrent_faults: 1}\n")
    plan_of(PLAN + "limits: {concurrent_faults: 1}\n")
