"""Two clocks compared by round trips: how far apart they are, and how sure that is."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A question and its answer: asked and heard by the own clock, answered by the other one."""

    asked_s: float
    answered_s: float
    heard_s: float


@dataclass(frozen=True, slots=True)
class Offset:
    """What to add to the own clock to get the other one's, and how far off that can be."""

    offset_s: float
    uncertainty_s: float


def offset_of(trips: Iterable[RoundTrip]) -> Offset:
    """Return the offset by the quickest round trip, which leaves the least room for error.

    The answer was given somewhere between asking and hearing; taken to be half way, it is wrong
    by at most half the trip, however unequal the two ways are.
    """
    quickest = min(trips, key=lambda trip: trip.heard_s - trip.asked_s)
    return Offset(
        offset_s=quickest.answered_s - (quickest.asked_s + quickest.heard_s) / 2,
        uncertainty_s=(quickest.heard_s - quickest.asked_s) / 2,
    )
