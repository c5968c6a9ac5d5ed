"""Buckets: the stretches of seconds that figures are counted over.

An operation belongs to the second in which it was due; a second that a phase's boundary divides
belongs to the phase in which it starts.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from doorbuster.plan import Plan

WHOLE_RUN: Final = "whole run"
OUTSIDE_FAULTS: Final = "outside faults"

Buckets = Mapping[str, Iterable[int]]
"""Name to the seconds that it holds."""


def span_seconds(start_s: float, end_s: float) -> range:
    """Return the seconds that start in [start_s, end_s)."""
    return range(math.ceil(start_s), math.ceil(end_s))


def phase_seconds(plan: Plan, phase: str | None) -> range:
    """Return the seconds of `phase`, of all phases when it is None; warm-up is in none."""
    return span_seconds(*(plan.phase_span_s(phase) if phase else (0.0, plan.length_s)))


def phase_buckets(plan: Plan) -> dict[str, Iterable[int]]:
    """Return a bucket for each phase and one for all of them."""
    phases = {phase: phase_seconds(plan, phase) for phase in plan.phase_starts_s}
    return {**phases, WHOLE_RUN: phase_seconds(plan, None)}


def without(seconds: Iterable[int], spans_s: Iterable[tuple[float, float]]) -> list[int]:
    """Return `seconds` without those that any of the spans touches."""
    spans = tuple(spans_s)
    return [
        second
        for second in seconds
        if not any(start_s < second + 1 and second < end_s for start_s, end_s in spans)
    ]


def bucket_parameters(buckets: Buckets) -> dict[str, Any]:
    """Return the parameters that `BUCKETS_SQL` reads."""
    pairs = [(name, second) for name, seconds in buckets.items() for second in seconds]
    return {"names": [name for name, _ in pairs], "seconds": [second for _, second in pairs]}


BUCKETS_SQL: Final = (
    "buckets AS (SELECT unnest($names::VARCHAR[]) AS bucket, unnest($seconds::BIGINT[]) AS second)"
)
"""A common table expression of (bucket, second)."""
