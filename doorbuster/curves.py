"""Curves of arrivals: rates over time, their integrals, and the inverses; pure arithmetic.

A curve says when any share of its arrivals has come, which is all that spacing them needs.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import Final, Protocol

_NORMAL: Final = NormalDist()

SWELL_SIGMAS: Final = 2 * math.sqrt(2)
"""How many standard deviations a swell shows on either side: erf from -2 to 2, as Gatling has."""


class Curve(Protocol):
    """A rate over time, as what it adds up to."""

    @property
    def total(self) -> float:
        """How many arrive from its begin to its end."""

    @property
    def highest(self) -> float:
        """The highest rate, per second."""

    def come_by(self, at_s: float) -> float:
        """Return how many have arrived by `at_s`: the integral of the rate."""

    def offset_s(self, share: float) -> float:
        """Return when `share` (0 to 1) of them have arrived: the integral's inverse."""


@dataclass(frozen=True, slots=True)
class Linear:
    """A rate that goes straight from `start` to `end`; constant where they are the same."""

    start: float
    end: float
    lasts_s: float

    @property
    def total(self) -> float:
        return (self.start + self.end) / 2 * self.lasts_s

    @property
    def highest(self) -> float:
        return max(self.start, self.end)

    def come_by(self, at_s: float) -> float:
        return self.start * at_s + (self.end - self.start) * at_s**2 / (2 * self.lasts_s)

    def offset_s(self, share: float) -> float:
        """With rates a to b over D seconds: D / (b - a) * (sqrt((1 - u) a² + u b²) - a)."""
        if math.isclose(self.start, self.end):
            return share * self.lasts_s
        root = math.sqrt((1 - share) * self.start**2 + share * self.end**2)
        return min(self.lasts_s, self.lasts_s / (self.end - self.start) * (root - self.start))


@dataclass(frozen=True, slots=True)
class Exponential:
    """A rate that grows or shrinks by the same factor each second; both ends are above 0."""

    start: float
    end: float
    lasts_s: float

    @property
    def total(self) -> float:
        growth = math.log(self.end / self.start)
        return self.lasts_s * (self.end - self.start) / growth if growth else self._constant.total

    @property
    def highest(self) -> float:
        return max(self.start, self.end)

    @property
    def _constant(self) -> Linear:
        return Linear(self.start, self.start, self.lasts_s)

    def come_by(self, at_s: float) -> float:
        growth = math.log(self.end / self.start)
        if not growth:
            return self._constant.come_by(at_s)
        return self.start * self.lasts_s / growth * math.expm1(growth * at_s / self.lasts_s)

    def offset_s(self, share: float) -> float:
        growth = math.log(self.end / self.start)
        if not growth:
            return self._constant.offset_s(share)
        return min(self.lasts_s, self.lasts_s / growth * math.log1p(share * math.expm1(growth)))


@dataclass(frozen=True, slots=True)
class Swell:
    """`visitors` who come as a bell: what has come is a smooth step (Heaviside) over its length."""

    visitors: int
    lasts_s: float

    @property
    def total(self) -> float:
        return self.visitors

    @property
    def highest(self) -> float:
        sigma_s = self.lasts_s / (2 * SWELL_SIGMAS)
        return self.visitors * _NORMAL.pdf(0) / sigma_s / _between(-SWELL_SIGMAS, SWELL_SIGMAS)

    def come_by(self, at_s: float) -> float:
        reached = (2 * at_s / self.lasts_s - 1) * SWELL_SIGMAS
        whole = _between(-SWELL_SIGMAS, SWELL_SIGMAS)
        return self.visitors * _between(-SWELL_SIGMAS, reached) / whole

    def offset_s(self, share: float) -> float:
        at = _quantile(share, low=-SWELL_SIGMAS, high=SWELL_SIGMAS)
        return (at / SWELL_SIGMAS + 1) / 2 * self.lasts_s


@dataclass(frozen=True, slots=True)
class Reactions:
    """`visitors` who react to one moment: log-normal around `median_s`, all within `within_s`."""

    visitors: int
    median_s: float
    sigma: float
    within_s: float

    @property
    def total(self) -> float:
        return self.visitors

    @property
    def highest(self) -> float:
        mode_s = min(self.within_s, self.median_s * math.exp(-(self.sigma**2)))
        density = _NORMAL.pdf(self._sigmas(mode_s)) / (mode_s * self.sigma)
        return self.visitors * density / _NORMAL.cdf(self._sigmas(self.within_s))

    def come_by(self, at_s: float) -> float:
        if at_s <= 0:
            return 0.0
        seen = _NORMAL.cdf(self._sigmas(min(at_s, self.within_s)))
        return self.visitors * seen / _NORMAL.cdf(self._sigmas(self.within_s))

    def offset_s(self, share: float) -> float:
        at = _quantile(share, low=-math.inf, high=self._sigmas(self.within_s))
        return min(self.within_s, self.median_s * math.exp(self.sigma * at))

    def _sigmas(self, at_s: float) -> float:
        return math.log(at_s / self.median_s) / self.sigma


@dataclass(frozen=True, slots=True)
class Early:
    """`visitors` whose clocks are fast: before the moment, the more the closer, by `by_s` at most.

    Times are negative: seconds before the moment.
    """

    visitors: int
    sigma_s: float
    by_s: float

    @property
    def total(self) -> float:
        return self.visitors

    @property
    def highest(self) -> float:
        return self.visitors * _NORMAL.pdf(0) / self.sigma_s / _between(-self.by_s / self.sigma_s)

    def come_by(self, at_s: float) -> float:
        from_sigmas = -self.by_s / self.sigma_s
        return self.visitors * _between(from_sigmas, at_s / self.sigma_s) / _between(from_sigmas)

    def offset_s(self, share: float) -> float:
        return self.sigma_s * _quantile(share, low=-self.by_s / self.sigma_s, high=0.0)


class Joined:
    """Curves one after the other, each with its length."""

    def __init__(self, pieces: Sequence[tuple[Curve, float]]) -> None:
        kept = [(curve, lasts_s) for curve, lasts_s in pieces if lasts_s > 0]
        self._curves = [curve for curve, _ in kept]
        self._starts_s = list(accumulate((lasts_s for _, lasts_s in kept), initial=0.0))
        self._come = list(accumulate((curve.total for curve in self._curves), initial=0.0))

    @property
    def total(self) -> float:
        return self._come[-1]

    @property
    def highest(self) -> float:
        return max(curve.highest for curve in self._curves)

    def come_by(self, at_s: float) -> float:
        piece = max(0, min(len(self._curves), bisect_left(self._starts_s, at_s)) - 1)
        return self._come[piece] + self._curves[piece].come_by(at_s - self._starts_s[piece])

    def offset_s(self, share: float) -> float:
        wanted = share * self.total
        piece = max(0, min(len(self._curves), bisect_left(self._come, wanted)) - 1)
        curve = self._curves[piece]
        inside = (wanted - self._come[piece]) / curve.total if curve.total else 0.0
        return self._starts_s[piece] + curve.offset_s(min(1.0, max(0.0, inside)))


def _between(low: float, high: float = 0.0) -> float:
    """Return the share of a normal distribution between two numbers of standard deviations."""
    return _NORMAL.cdf(high) - _NORMAL.cdf(low)


def _quantile(share: float, *, low: float, high: float) -> float:
    """Return where `share` of a normal distribution, cut off at both ends, has been reached."""
    reached = _NORMAL.cdf(low) + share * _between(low, high)
    if not 0 < reached < 1:
        return low if share < 0.5 else high
    return min(high, max(low, _NORMAL.inv_cdf(reached)))
