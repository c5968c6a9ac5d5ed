"""Limits of a rehearsal: what no run of a plan may go beyond, whatever else the plan says."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from doorbuster.faults import Frozen
from doorbuster.plan.traffic import Traffic
from doorbuster.quantities import Duration, Rate, Whole


class Limits(Frozen):
    """A guard against plans that ask for more than somebody meant.

    Args:
        rate: Arrivals a second at the busiest moment.
        duration: From second 0 to the end of the last phase. A run that hangs beyond it is stopped.
        concurrent_faults: Faults that may be on at the same time.
    """

    rate: Rate = 2000.0
    duration: Duration = 3600.0
    concurrent_faults: Annotated[Whole, Field(ge=1)] = 4


def peak_per_s(traffic: Traffic) -> float:
    """Return the highest arrival rate of `traffic`, a burst's busiest second included."""
    return max(phase.busiest_per_s for phase in traffic.arrivals)


def most_at_once(spans_s: Sequence[tuple[float, float]]) -> int:
    """Return how many of the spans share a moment at most; one may begin as another ends."""
    moments = sorted(
        [(begins_s, 1) for begins_s, _ in spans_s] + [(ends_s, -1) for _, ends_s in spans_s]
    )
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most
