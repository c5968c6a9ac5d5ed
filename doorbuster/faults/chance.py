"""Faults drawn by chance from a seed: a stretch of a plan becomes faults like any others."""

import random
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from doorbuster.anchors import Anchor, split_anchor
from doorbuster.faults.kind import Frozen
from doorbuster.faults.lots import Drawn, Ground, draw_settings
from doorbuster.faults.network import above_zero
from doorbuster.faults.table import COMPONENTS, NEED_REDIS, component_takes
from doorbuster.quantities import Duration, Rate, Whole, duration_text

RandomKind = Literal[
    "latency",
    "bandwidth",
    "timeout",
    "blackhole",
    "reset_peer",
    "slow_close",
    "slicer",
    "limit_data",
    "down",
    "flap",
    "partition",
    "kill",
    "pause",
    "restart",
    "rolling",
    "crash_loop",
    "hog",
    "failover",
    "lag",
    "lock",
    "connections",
    "flush",
    "respond",
]
"""All but `restore`, which loses what was confirmed by what it is; `failback`, which comes with
`failover`; and `hooks`, whose words are the author's."""

_SHORTEST: Final = 0.2
"""The shortest fault, as a part of `longest`."""


class RandomFaults(Frozen):
    """Faults by chance, the same ones for the same seed, within limits.

    Args:
        at: The moment from which on they may begin.
        lasts: The time within which all of them are lifted.
        kinds: Which kinds there may be.
        on: Which components may be hit; all that take the kind, without those of Redis, unless
            they are named.
        rate: How many begin in a time, on average.
        longest: How long one may last.
        at_once: How many may be on at the same time; never two on one component.
        seed: The plan's own, unless given.
    """

    at: Anchor
    lasts: Annotated[Duration, AfterValidator(above_zero)] = Field(alias="for")
    kinds: Annotated[tuple[RandomKind, ...], Field(min_length=1)]
    on: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    rate: Annotated[Rate, AfterValidator(above_zero)]
    longest: Annotated[Duration, AfterValidator(above_zero)] = 3.0
    at_once: Annotated[Whole, Field(ge=1, le=16)] = 2
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] | None = None

    @model_validator(mode="after")
    def _each_has_a_place(self) -> "RandomFaults":
        for kind in self.kinds:
            if not self.components_for(kind):
                among = f"none of {', '.join(self.on)}" if self.on else "nothing without a name"
                raise ValueError(f"{among} takes {kind}: {_who_takes(kind)}")
        for component in self.on or ():
            if not set(component_takes(component)) & set(self.kinds):
                raise ValueError(f"{component} takes none of {', '.join(self.kinds)}")
        return self

    def components_for(self, kind: str) -> list[str]:
        known = [name for name in COMPONENTS if name not in NEED_REDIS]
        return [name for name in self.on or known if kind in component_takes(name)]


def _who_takes(kind: str) -> str:
    takers = [name for name in COMPONENTS if kind in component_takes(name)]
    return f"expected {' or '.join(takers)} in `on`"


def draw(wanted: RandomFaults, *, seed: int, ground: Ground) -> list[Drawn]:
    """Return the faults of a seed, in the order in which they begin."""
    chance = random.Random(f"faults {seed}")
    drawn: list[Drawn] = []
    at_s = chance.expovariate(wanted.rate)
    while at_s < wanted.lasts:
        found = _one(wanted, chance, begins_s=round(at_s, 2), ground=ground)
        on_now = [other for other in drawn if other.ends_s > found.begins_s]
        fits = found.ends_s <= wanted.lasts and len(on_now) < wanted.at_once
        if fits and all(map(found.bears, drawn)):
            drawn.append(found)
        at_s += chance.expovariate(wanted.rate)
    return drawn


def _one(wanted: RandomFaults, chance: random.Random, *, begins_s: float, ground: Ground) -> Drawn:
    kind = chance.choice(wanted.kinds)
    on = chance.choice(wanted.components_for(kind))
    lasts_s = max(round(wanted.longest * chance.uniform(_SHORTEST, 1.0), 2), 0.01)
    settings = draw_settings(kind, chance, lasts_s=lasts_s, ground=ground)
    return Drawn(kind, on, begins_s, lasts_s, settings)


Lines = list[dict[str, Any]]


def as_faults(
    wanted: RandomFaults,
    *,
    seed: int,
    ground: Ground,
    fits: Callable[[Lines], bool] = lambda _: True,
) -> Lines:
    """Return the drawn faults as a plan's lines would say them, so that they can be kept.

    Args:
        wanted: Within which limits.
        seed: Which of all draws.
        ground: The shop that they are for.
        fits: Says whether a draw goes together with the rest of the plan; else it is left out.
    """
    drawn = draw(wanted, seed=seed, ground=ground)
    each = (_anchored(one.lines(number), wanted.at) for number, one in enumerate(drawn, 1))
    return [line for lines in each if fits(lines) for line in lines]


def _anchored(lines: Lines, anchor: str) -> Lines:
    phase, offset_s = split_anchor(anchor)
    found: Lines = []
    for line in lines:
        from_phase_s = round(offset_s + line["at"], 6)
        sign = "-" if from_phase_s < 0 else "+"
        found.append({**line, "at": f"{phase}{sign}{duration_text(abs(from_phase_s))}"})
    return found
