"""Faults drawn by chance from a seed: a stretch of a plan becomes faults like any others."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from doorbuster.anchors import Anchor, split_anchor
from doorbuster.faults.kind import Frozen
from doorbuster.faults.network import above_zero
from doorbuster.faults.provider import MODES
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
    "partition",
    "kill",
    "pause",
    "restart",
    "respond",
]

_SHORTEST: Final = 0.2
"""The shortest fault, as a part of `longest`."""

_SETTINGS: Final[dict[str, Callable[[random.Random], dict[str, Any]]]] = {
    "latency": lambda drawn: {"delay": f"{drawn.randint(50, 1000)}ms"},
    "bandwidth": lambda drawn: {"rate": f"{drawn.randint(4, 64)}KB/s"},
    "slow_close": lambda drawn: {"delay": f"{drawn.randint(100, 1000)}ms"},
    "slicer": lambda drawn: {"size": f"{drawn.randint(50, 500)}B", "delay": "10ms"},
    "limit_data": lambda drawn: {"bytes": f"{drawn.randint(100, 20_000)}B"},
    "respond": lambda drawn: {"mode": drawn.choice(MODES), "share": "50%"},
}
"""How a kind is drawn; those that are not here have nothing to draw."""


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
                raise ValueError(f"none of {', '.join(self.on or ())} takes {kind}")
        for component in self.on or ():
            if not set(component_takes(component)) & set(self.kinds):
                raise ValueError(f"{component} takes none of {', '.join(self.kinds)}")
        return self

    def components_for(self, kind: str) -> list[str]:
        known = [name for name in COMPONENTS if name not in NEED_REDIS]
        return [name for name in self.on or known if kind in component_takes(name)]


@dataclass(frozen=True)
class Drawn:
    """One fault by chance, in seconds from the stretch's begin."""

    kind: str
    on: str
    begins_s: float
    lasts_s: float
    settings: dict[str, Any]

    @property
    def ends_s(self) -> float:
        return self.begins_s + self.lasts_s


def draw(wanted: RandomFaults, *, seed: int) -> list[Drawn]:
    """Return the faults of a seed, in the order in which they begin."""
    chance = random.Random(f"faults {seed}")
    drawn: list[Drawn] = []
    at_s = chance.expovariate(wanted.rate)
    while at_s < wanted.lasts:
        found = _one(wanted, chance, begins_s=round(at_s, 2))
        on_now = [other for other in drawn if other.ends_s > found.begins_s]
        fits = found.ends_s <= wanted.lasts and len(on_now) < wanted.at_once
        if fits and not any(_touch(found.on, other.on) for other in on_now):
            drawn.append(found)
        at_s += chance.expovariate(wanted.rate)
    return drawn


def _one(wanted: RandomFaults, chance: random.Random, *, begins_s: float) -> Drawn:
    kind = chance.choice(wanted.kinds)
    on = chance.choice(wanted.components_for(kind))
    lasts_s = round(wanted.longest * chance.uniform(_SHORTEST, 1.0), 2)
    settings = _SETTINGS[kind](chance) if kind in _SETTINGS else {}
    return Drawn(kind, on, begins_s, max(lasts_s, 0.01), settings)


def _touch(one: str, other: str) -> bool:
    """Say whether two components share processes."""
    return one.split("-", maxsplit=1)[0] == other.split("-", maxsplit=1)[0]


def as_faults(wanted: RandomFaults, *, seed: int) -> list[dict[str, Any]]:
    """Return the drawn faults as a plan's lines would say them, so that they can be kept."""
    phase, offset_s = split_anchor(wanted.at)
    lines: list[dict[str, Any]] = []
    for number, each in enumerate(draw(wanted, seed=seed), 1):
        from_phase_s = round(offset_s + each.begins_s, 6)
        sign = "-" if from_phase_s < 0 else "+"
        line: dict[str, Any] = {
            "at": f"{phase}{sign}{duration_text(abs(from_phase_s))}",
            "on": each.on,
            "name": f"random {number}: {each.on} {each.kind}",
        }
        if each.kind == "restart":
            line["restart"] = {"down": duration_text(each.lasts_s)}
        else:
            line |= {"for": duration_text(each.lasts_s), each.kind: each.settings}
        lines.append(line)
    return lines
