"""Arrivals as pure functions of the plan: when each shopper comes, the same for the same seed.

Poisson arrivals with an exact count are sorted uniform draws, put through the inverse of the
rate's integral; even ones are equally spaced in it. The curves themselves are in `curves`.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from doorbuster.plan.phases import Arrivals
from doorbuster.plan.traffic import WARMUP, Traffic


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


def _all_due(traffic: Traffic, seed: int) -> Iterator[tuple[float, str]]:
    """Yield every due time with the phase that it is in: who is early is in the phase before."""
    warmup = traffic.warmup_phase
    starts_s, before = -traffic.warmup, WARMUP
    for phase in (*([warmup] if warmup else []), *traffic.arrivals):
        draw = random.Random(f"{seed}/arrivals/{phase.phase}")
        for offset_s in _offsets_s(phase, traffic.spacing, draw):
            yield starts_s + offset_s, phase.phase if offset_s >= 0 else before
        starts_s, before = starts_s + phase.lasts, phase.phase


def _offsets_s(
    phase: Arrivals, spacing: Literal["poisson", "even"], draw: random.Random
) -> Iterator[float]:
    for stream in phase.streams:
        for k in range(stream.count):
            share = draw.random() if spacing == "poisson" else (k + 0.5) / stream.count
            yield stream.starts_s + stream.curve.offset_s(share)
