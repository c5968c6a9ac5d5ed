"""The phases of a plan: names, lengths, and the shapes that the arrivals of each may have."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from doorbuster.anchors import split_anchor
from doorbuster.curves import Curve, Early, Exponential, Joined, Linear, Swell
from doorbuster.faults import Frozen
from doorbuster.plan.shapes import EARLY_BY_S, EARLY_SIGMA_S, Burst, Peak, Series, Spike
from doorbuster.quantities import (
    Duration,
    Rate,
    duration_text,
    rate_per_s,
    rate_text,
)

_RAMP: Final = re.compile(r"\s*(\S+)\s*->\s*(\S+)\s*")


def _ramp(text: Any) -> tuple[float, float]:
    """Return the rates at a phase's start and end; a single rate is constant."""
    match = _RAMP.fullmatch(text) if isinstance(text, str) else None
    if match:
        return rate_per_s(match[1]), rate_per_s(match[2])
    constant = rate_per_s(text)
    return constant, constant


def _ramp_text(ramp: tuple[float, float]) -> str:
    start, end = ramp
    return rate_text(start) if start == end else f"{rate_text(start)} -> {rate_text(end)}"


_RATE: Final = r"\d+(\.\d+)?/(s|m)"
Ramp = Annotated[
    tuple[float, float],
    BeforeValidator(_ramp),
    PlainSerializer(_ramp_text),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^\s*{_RATE}(\s*->\s*{_RATE})?\s*$",
            "examples": ["40/s", "40/s -> 10/s"],
        }
    ),
]
"""Arrivals per second at a phase's start and end, written `40/s` or `40/s -> 10/s`."""


def _no_anchor(name: str) -> str:
    """Refuse a name that an anchor cannot mean, since it reads as another phase and an offset."""
    phase, _ = split_anchor(name)
    if phase != name:
        raise ValueError(
            f"{name!r} reads as a moment, {name[len(phase) :]} from `{phase}`: "
            "expected a name that does not end in a length of time"
        )
    return name


PhaseName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=60), AfterValidator(_no_anchor)
]


@dataclass(frozen=True, slots=True)
class Stream:
    """Some arrivals of a phase: exactly `count` along a curve that begins at `starts_s` of it."""

    starts_s: float
    count: int
    curve: Curve


class Arrivals(Frozen):
    """One phase: its name, its length, and how sessions arrive in it.

    The course is one of `rate`, `steps` and `series`; a burst or a peak comes on top of it.

    Args:
        growth: Whether a rate that changes does so in a straight line or by a constant factor.
        steps: Rates one after the other, each for the same share of the phase.
    """

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [way]} for way in ("rate", "steps", "series")]}
    )

    phase: PhaseName
    lasts: Duration = Field(alias="for")
    rate: Ramp | None = None
    growth: Literal["linear", "exponential"] = "linear"
    steps: Annotated[tuple[Rate, ...], Field(min_length=2, max_length=1000)] | None = None
    series: Series | None = None
    spike: Spike | None = None
    peak: Peak | None = None
    burst: Burst | None = None

    @model_validator(mode="after")
    def _one_course(self) -> "Arrivals":
        given = [way for way in ("rate", "steps", "series") if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(
                f"expected exactly one of rate, steps, series, got {' and '.join(given) or 'none'}"
            )
        if self.series and len(self.series.counts) < self.lasts:
            raise ValueError(
                f"the series has {len(self.series.counts)} seconds: expected `for` at most that"
            )
        if self.growth == "exponential" and (
            self.rate is None or min(self.rate) <= 0 or self.rate[0] == self.rate[1]
        ):
            raise ValueError("exponential `growth` needs a rate a -> b with both above 0/s")
        return self

    @model_validator(mode="after")
    def _room_for_its_spike(self) -> "Arrivals":
        if self.spike is None:
            return self
        if self.rate is None or self.rate[0] != self.rate[1]:
            raise ValueError("a `spike` rises from a constant `rate`: expected such a rate")
        if self.spike.peak_per_s(self.rate[0]) <= self.rate[0]:
            raise ValueError("expected a `spike` to a rate above the phase's own")
        if self.spike.lasts_s > self.lasts:
            raise ValueError(
                f"the spike is over after {duration_text(self.spike.lasts_s)}, expected within "
                f"the phase ({duration_text(self.lasts)})"
            )
        return self

    @cached_property
    def streams(self) -> tuple[Stream, ...]:
        """All arrivals of the phase, those included who come early, before its start."""
        return tuple(stream for stream in (*self._course(), *self._crowds()) if stream.count)

    def _crowds(self) -> Iterator[Stream]:
        if self.peak:
            yield Stream(0.0, self.peak.visitors, Swell(self.peak.visitors, self.lasts))
        if self.burst:
            early = self.burst.early_visitors
            yield Stream(0.0, self.burst.visitors - early, self.burst.crowd(self.lasts))
            yield Stream(0.0, early, Early(early, EARLY_SIGMA_S, EARLY_BY_S))

    def _course(self) -> Iterator[Stream]:
        if self.series is None:
            curve = self._curve()
            yield Stream(0.0, round(curve.total), curve)
            return
        for second, length_s, count in self.series.come_by(self.lasts):
            yield Stream(second, count, Linear(count / length_s, count / length_s, length_s))

    def _curve(self) -> Curve:
        if self.steps is not None:
            each_s = self.lasts / len(self.steps)
            return Joined([(Linear(rate, rate, each_s), each_s) for rate in self.steps])
        assert self.rate is not None, "checked when the plan was read"
        if self.spike:
            return self.spike.over(self.rate[0], self.lasts)
        if self.growth == "exponential":
            return Exponential(*self.rate, self.lasts)
        return Linear(*self.rate, self.lasts)

    @property
    def early_visitors(self) -> int:
        """How many come before the phase's start, in the phase before it."""
        return self.burst.early_visitors if self.burst else 0

    @property
    def count(self) -> int:
        """How many arrive in all, those included who come early."""
        return sum(stream.count for stream in self.streams)

    @property
    def first_rate(self) -> float:
        """The rate at its start, a burst left out."""
        if self.series:
            return self.series.counts[0] * self.series.scale
        course = self.steps or self.rate
        assert course is not None, "checked when the plan was read"
        return course[0]

    @property
    def highest_rate(self) -> float:
        """The highest rate of its course, burst and peak left out."""
        return max((stream.curve.highest for stream in self._course()), default=0.0)

    @property
    def busiest_per_s(self) -> float:
        """How many can arrive in one second, crowds included."""
        crowds = (min(stream.curve.highest, stream.count) for stream in self._crowds())
        return self.highest_rate + sum(crowds)

    @property
    def text(self) -> str:
        """Its course in words, as timelines show it."""
        course = self._course_text()
        if self.growth == "exponential":
            course += " exponentially"
        extras = (extra.text for extra in (self.spike, self.peak, self.burst) if extra)
        return ", ".join((course, *extras))

    def _course_text(self) -> str:
        if self.series:
            return self.series.text
        if self.steps:
            return f"steps of {', '.join(map(rate_text, self.steps))}"
        assert self.rate is not None, "checked when the plan was read"
        return _ramp_text(self.rate)
