"""Arrivals as pure functions of the plan: when each shopper comes, the same for the same seed.

Poisson arrivals with an exact count are sorted uniform draws, put through the inverse of the
rate's integral; even ones are equally spaced in it. The curves themselves are in `curves`.
"""

import random
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Literal

from doorbuster.plan.phases import Arrivals
from doorbuster.plan.traffic import WARMUP, Traffic


@dataclass(frozen=True, slots=True)
class Arrival:
    """One session to start: its number in the run, when it is due on the run's clock, its phase."""

    index: int
    due_s: float
    phase: str


class Timetable:
    """One process's share of the arrivals in order: every `count`-th, from the `index`-th on.

    Of each only the due time and the number of its phase are kept, since plans can have millions.
    """

    def __init__(self, phases: Sequence[str], *, index: int, count: int) -> None:
        self._phases = phases
        self._index = index
        self._count = count
        self._come = 0
        self._due_s = array("d")
        self._numbers = array("B")

    def __len__(self) -> int:
        return len(self._due_s)

    def __iter__(self) -> Iterator[Arrival]:
        index, phases = self._index, self._phases
        for due_s, number in zip(self._due_s, self._numbers, strict=True):
            yield Arrival(index, due_s, phases[number])
            index += self._count

    def add(self, due_s: Sequence[float], numbers: bytes) -> None:
        """Keep our share of the arrivals that come next in the plan."""
        first = (self._index - self._come) % self._count
        self._due_s.extend(due_s[first :: self._count])
        self._numbers.frombytes(numbers[first :: self._count])
        self._come += len(due_s)


def arrivals(traffic: Traffic, seed: int) -> list[Arrival]:
    """Return every arrival of the plan in order of its due time, warm-up (negative) included."""
    return list(timetable(traffic, seed))


def timetable(traffic: Traffic, seed: int, *, index: int = 0, count: int = 1) -> Timetable:
    """Return one process's share of the arrivals; together the shares are all of them."""
    if not 0 <= index < count:
        raise ValueError(f"stripe {index} of {count}: expected an index below the count")
    # By name, so that of two who are due at the same time the phase that sorts first is first.
    phases = sorted({WARMUP, *(phase.phase for phase in traffic.arrivals)})
    found = Timetable(phases, index=index, count=count)
    seconds = _by_second(traffic, seed, phases)
    for second in sorted(seconds):
        found.add(*_in_order(seconds.pop(second)))
    return found


def _by_second(
    traffic: Traffic, seed: int, phases: Sequence[str]
) -> "defaultdict[int, defaultdict[int, array[float]]]":
    """Return all due times by second and by the number of their phase, in no order yet."""
    seconds: defaultdict[int, defaultdict[int, array[float]]] = defaultdict(
        lambda: defaultdict(lambda: array("d"))
    )
    numbers = {name: number for number, name in enumerate(phases)}
    for due_s, name in _all_due(traffic, seed):
        seconds[floor(due_s)][numbers[name]].append(due_s)
    return seconds


def _in_order(crowds: Mapping[int, Sequence[float]]) -> tuple[Sequence[float], bytes]:
    """Return the due times of one second in order, and whose phase each is of."""
    if len(crowds) == 1:
        ((number, due),) = crowds.items()
        return sorted(due), bytes([number]) * len(due)
    rows = sorted((due_s, number) for number, due in crowds.items() for due_s in due)
    return [due_s for due_s, _ in rows], bytes(number for _, number in rows)


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
