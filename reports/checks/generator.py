"""Was the generator up to it? If not, its figures are about itself and not about the shop."""

from doorbuster.verdicts import Verdict
from reports.checks.ruling import Finding, counted, ruled
from reports.evidence import Run
from reports.figures.generator import doubt_about, generator_figures


def generator_healthy(run: Run) -> Verdict:
    """The generator started every planned arrival, on time; otherwise unknown, never a fail."""
    phases = generator_figures(run)
    full = {figures.phase: figures.reason for figures in phases if figures.reason}
    offered = sum(figures.offered for figures in phases)
    started = sum(figures.started for figures in phases)
    missed = sum(figures.missed for figures in phases)
    late = [f.lateness_p99_s for f in phases if f.lateness_p99_s is not None]
    worst = f"{max(late) * 1000:.1f} ms" if late else "unknown"
    return ruled(
        "generator_healthy",
        Finding(
            broken=(),
            doubts=[
                None if offered else "the generator offered no arrival",
                doubt_about(phases),
            ],
            sound=f"{counted(offered, 'arrival')} offered, {started:,} started, {missed:,} missed; "
            f"lateness p99 at most {worst} in every phase",
            counts={
                "offered": offered,
                "started": started,
                "missed": missed,
                "lateness_p99_ms": round(max(late) * 1000, 3) if late else None,
                "lateness_limit_ms": run.plan.max_lateness_s * 1000,
            },
            witnesses=[{"phase": phase, "why": reason} for phase, reason in full.items()],
        ),
        kind="harness",
    )
