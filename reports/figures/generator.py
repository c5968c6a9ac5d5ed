"""The generator's own figures by phase, and what makes the shop's figures of a phase unknown."""

import math
from typing import Final

import msgspec

from doorbuster.arrivals import expected_count
from reports.evidence import Run
from reports.figures.buckets import BUCKETS_SQL, bucket_parameters, phase_buckets
from reports.figures.latency import percentiles

_OFFERED: Final = f"""
WITH {BUCKETS_SQL}
SELECT bucket, sum(offered)::BIGINT AS offered, sum(started)::BIGINT AS started,
       sum(missed)::BIGINT AS missed
FROM generator_seconds JOIN buckets USING (second) GROUP BY bucket
"""


class GeneratorFigures(msgspec.Struct, frozen=True):
    """How the generator did in one phase; `reason` is why the phase's figures are unknown."""

    phase: str
    planned: int
    offered: int
    started: int
    missed: int
    lateness_p99_s: float | None
    reason: str | None


def generator_figures(run: Run) -> list[GeneratorFigures]:
    """Return the generator's figures phase by phase."""
    buckets = phase_buckets(run.plan)
    late = percentiles(run, buckets, ("lateness",))
    seen = {row["bucket"]: row for row in run.rows(_OFFERED, **bucket_parameters(buckets))}
    nothing = {"offered": 0, "started": 0, "missed": 0}
    figures = []
    for phase in run.plan.traffic.arrivals:
        row = seen.get(phase.phase, nothing)
        lateness = late.get((phase.phase, "lateness"))
        counted = GeneratorFigures(
            phase=phase.phase,
            planned=expected_count(phase),
            offered=row["offered"],
            started=row["started"],
            missed=row["missed"],
            lateness_p99_s=lateness.p99_s if lateness else None,
            reason=None,
        )
        reason = _reason(run, counted, slack=_boundary_slack(run, phase.phase))
        figures.append(msgspec.structs.replace(counted, reason=reason))
    return figures


def _boundary_slack(run: Run, phase: str) -> int:
    """Return how many arrivals a second that a phase's boundary divides may give its neighbour."""
    start_s, end_s = run.plan.phase_span_s(phase)
    if start_s.is_integer() and end_s.is_integer():
        return 0
    return math.ceil(2 * max(max(p.rate) for p in run.plan.traffic.arrivals))


def _reason(run: Run, figures: GeneratorFigures, *, slack: int) -> str | None:
    """Return why the phase's figures are unknown."""
    limit_s = run.plan.max_lateness_s
    if figures.offered + slack < figures.planned:
        return f"only {figures.offered:,} of {figures.planned:,} arrivals came due in it"
    if figures.missed or figures.started + figures.missed < figures.offered:
        missed = figures.offered - figures.started
        return f"{missed:,} of {figures.offered:,} arrivals missed"
    if figures.lateness_p99_s is None:
        return "no lateness was recorded" if figures.offered else None
    if figures.lateness_p99_s > limit_s:
        return f"lateness p99 {figures.lateness_p99_s * 1000:.0f} ms, limit {limit_s * 1000:.0f} ms"
    return None
