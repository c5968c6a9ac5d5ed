"""The generator's own figures by phase, and what makes the shop's figures of a phase unknown."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from reports.evidence import Run
from reports.figures.buckets import BUCKETS_SQL, bucket_parameters, phase_buckets
from reports.figures.latency import worst_p99_s

_OFFERED: Final = f"""
WITH {BUCKETS_SQL}
SELECT bucket, sum(offered)::BIGINT AS offered, sum(started)::BIGINT AS started,
       sum(missed)::BIGINT AS missed
FROM generator_seconds JOIN buckets USING (second) GROUP BY bucket
"""


class GeneratorFigures(msgspec.Struct, frozen=True):
    """How the generator did in one phase.

    Args:
        cut_short: Not every planned arrival came due: the run ended before, or never began.
        reason: Why the phase's figures are unknown.
    """

    phase: str
    planned: int
    offered: int
    started: int
    missed: int
    lateness_p99_s: float | None
    cut_short: bool = False
    reason: str | None = None


def generator_figures(run: Run) -> list[GeneratorFigures]:
    """Return the generator's figures phase by phase."""
    buckets = phase_buckets(run.plan)
    late = worst_p99_s(run, buckets, "lateness")
    seen = {row["bucket"]: row for row in run.rows(_OFFERED, **bucket_parameters(buckets))}
    nothing = {"offered": 0, "started": 0, "missed": 0}
    figures = []
    for phase in run.plan.traffic.arrivals:
        row = seen.get(phase.phase, nothing)
        planned = run.plan.traffic.counts[phase.phase]
        counted = GeneratorFigures(
            phase=phase.phase,
            planned=planned,
            offered=row["offered"],
            started=row["started"],
            missed=row["missed"],
            lateness_p99_s=late.get(phase.phase),
            cut_short=row["offered"] + _boundary_slack(run, phase.phase) < planned,
        )
        figures.append(msgspec.structs.replace(counted, reason=_reason(run, counted)))
    return figures


def _boundary_slack(run: Run, phase: str) -> int:
    """Return how many arrivals a second that a phase's boundary divides may give its neighbour."""
    start_s, end_s = run.plan.phase_span_s(phase)
    if start_s.is_integer() and end_s.is_integer():
        return 0
    phases = run.plan.traffic.arrivals
    crowds = sum(p.burst.visitors for p in phases if p.burst)
    return crowds + math.ceil(2 * max(p.highest_rate for p in phases))


def _reason(run: Run, figures: GeneratorFigures) -> str | None:
    """Return why the phase's figures are unknown."""
    limit_s = run.plan.max_lateness_s
    if figures.cut_short:
        return f"only {figures.offered:,} of {figures.planned:,} arrivals came due in it"
    if figures.missed or figures.started + figures.missed < figures.offered:
        missed = figures.offered - figures.started
        return f"{missed:,} of {figures.offered:,} arrivals missed"
    if figures.lateness_p99_s is None:
        return "no lateness was recorded" if figures.offered else None
    if figures.lateness_p99_s > limit_s:
        return f"lateness p99 {figures.lateness_p99_s * 1000:.0f} ms, limit {limit_s * 1000:.0f} ms"
    return None


def doubt_about(figures: Sequence[GeneratorFigures]) -> str | None:
    """Return why phases say nothing, or not all, about the shop; None if the generator was well."""
    doubted = [f for f in figures if f.reason]
    if not doubted:
        return None
    named = "; ".join(f"{f.phase}: {f.reason}" for f in doubted)
    if all(f.cut_short for f in doubted):
        return f"the planned crowd was not sent: {named}"
    return f"the generator, not the shop, was full: {named}"
