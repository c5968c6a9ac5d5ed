"""Arrivals as pure functions of the plan: when each shopper comes, the same for the same seed.

Poisson arrivals with an exact count are sorted uniform draws, put through the inverse of the
rate's integral; even ones are equally spaced in it.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from doorbuster.plan.traffic import WARMUP, Arrivals, Traffic


@dataclass(frozen=True, slots=True)
class Arrival:
    """One session to start: its number in the run, when it is due on the run's clock, its phase."""

    index: int
    due_s: float
    phase: str


def arrivals(traffic: Traffic, seed: int) -> list[Arrival]:
    """Return every arrival of the plan in order of its due time, warm-up (negative) included."""
    due = sorted(_all_due(traffic, seed))
    return [Arrival(index, due_s, phase) for index, (due_s, phase) in enumerate(due)]


def expected_count(phase: Arrivals) -> int:
    """Return how many sessions arrive in a phase, its burst included."""
    start, end = phase.rate
    return round((start + end) / 2 * phase.lasts) + (phase.burst.visitors if phase.burst else 0)


def _all_due(traffic: Traffic, seed: int) -> Iterator[tuple[float, str]]:
    first = traffic.arrivals[0]
    warmup = Arrivals.model_construct(
        phase=WARMUP, lasts=traffic.warmup, rate=(first.rate[0], first.rate[0]), burst=None
    )
    starts_s = -traffic.warmup
    for phase in (warmup, *traffic.arrivals):
        draw = random.Random(f"{seed}/arrivals/{phase.phase}")
        for offset_s in _offsets_s(phase, traffic.spacing, draw):
            yield starts_s + offset_s, phase.phase
        starts_s += phase.lasts


def _offsets_s(
    phase: Arrivals, spacing: Literal["poisson", "even"], draw: random.Random
) -> Iterator[float]:
    start, end = phase.rate
    count = round((start + end) / 2 * phase.lasts)
    for k in range(count):
        share = draw.random() if spacing == "poisson" else (k + 0.5) / count
        yield offset_s(share, start=start, end=end, lasts_s=phase.lasts)
    if phase.burst:
        for _ in range(phase.burst.visitors):
            yield draw.random() * min(phase.burst.spread, phase.lasts)


def offset_s(share: float, *, start: float, end: float, lasts_s: float) -> float:
    """Return when `share` (0 to 1) of a linear ramp's arrivals have come.

    The inverse of the rate's integral: with rates a to b over D seconds, the share u is reached at
    D / (b - a) * (sqrt((1 - u) a² + u b²) - a).
    """
    if math.isclose(start, end):
        return share * lasts_s
    root = math.sqrt((1 - share) * start**2 + share * end**2)
    return min(lasts_s, lasts_s / (end - start) * (root - start))
