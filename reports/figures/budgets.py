"""Budgets: each limit of the plan against what was measured, or why that cannot be said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from doorbuster.budgets import Budget
from doorbuster.quantities import duration_text, rate_text, share_text
from doorbuster.verdicts import Verdict
from reports.evidence import Run
from reports.figures.buckets import phase_seconds, without
from reports.figures.counts import ALL, counts
from reports.figures.generator import GeneratorFigures, doubt_about
from reports.figures.latency import percentile_s
from reports.figures.recovery import FaultFigures


@dataclass(frozen=True)
class Measured:
    """What budgets are judged by, besides the run itself."""

    faults: Sequence[FaultFigures]
    generator: Sequence[GeneratorFigures]


def budget_verdicts(run: Run, measured: Measured) -> list[Verdict]:
    """Return the verdict on each budget of the plan."""
    return [_verdict(run, budget, measured) for budget in run.plan.parsed_budgets]


def quantity(budget: Budget, value: float) -> str:
    """Return `value` as a person writes it, in the budget's own unit."""
    match budget.measure.metric:
        case "percentile" | "recovery":
            return duration_text(round(value, 3))
        case "errors":
            return share_text(round(value, 5))
        case "goodput":
            return rate_text(round(value, 2))


def _verdict(run: Run, budget: Budget, measured: Measured) -> Verdict:
    if budget.measure.metric == "recovery":
        return _recovery(run, budget, measured)
    seconds = window_seconds(run, budget, measured.faults)
    value = _value(run, budget, seconds)
    doubt = _saturated(measured.generator, _phases(run, seconds, budget))
    if value is None:
        doubt = doubt or _nothing(budget, seconds)
    return _ruled(budget, value, doubt=doubt, over=f"over {len(seconds)} s")


def window_seconds(run: Run, budget: Budget, faults: Sequence[FaultFigures]) -> list[int]:
    """Return the seconds that `budget` is about."""
    seconds = list(phase_seconds(run.plan, budget.during))
    if budget.outside_faults:
        return without(seconds, (fault.disturbed_s for fault in faults))
    return seconds


def _value(run: Run, budget: Budget, seconds: Sequence[int]) -> float | None:
    measure = budget.measure
    if measure.metric == "percentile":
        assert measure.quantile is not None, "a percentile has a quantile"
        return percentile_s(run, seconds, f"{measure.op}.intended", quantile=measure.quantile)
    counted = counts(run, {"": seconds}).get(("", measure.op or ALL))
    if counted is None:
        return None
    return counted.error_share if measure.metric == "errors" else counted.goodput_per_s


def _phases(run: Run, seconds: Sequence[int], budget: Budget) -> list[str]:
    """Return the phases that the window has seconds of; its own when it has none left."""
    inside = set(seconds)
    found = [
        phase
        for phase in run.plan.phase_starts_s
        if inside.intersection(phase_seconds(run.plan, phase))
    ]
    return found or ([budget.during] if budget.during else list(run.plan.phase_starts_s))


def _saturated(generator: Sequence[GeneratorFigures], phases: Sequence[str]) -> str | None:
    """Return why the window says something about the generator and not about the shop."""
    return doubt_about([figures for figures in generator if figures.phase in phases])


def _nothing(budget: Budget, seconds: Sequence[int]) -> str:
    if not seconds:
        return "the window has no second outside faults"
    return f"no {budget.measure.op or 'operation'} was due in the window's {len(seconds)} s"


def _recovery(run: Run, budget: Budget, measured: Measured) -> Verdict:
    fault = next((f for f in measured.faults if f.name == budget.measure.fault), None)
    if fault is None:
        return _ruled(budget, None, doubt="the fault never happened")
    if fault.lifted_s is None:
        return _ruled(budget, None, doubt="the fault was never seen to be lifted")
    phases = _phases_after(run, fault)
    doubt = _saturated(measured.generator, phases)
    if not fault.observed_s:
        doubt = doubt or "no operation was recorded after the fault was lifted"
    if fault.lag_s is not None:
        relapses = ", ".join(f"{second:g} s" for second in fault.relapses_s)
        over = f"relapsed at {relapses}" if relapses else "no relapse"
        return _ruled(budget, fault.lag_s, doubt=doubt, over=over)
    if doubt is None and _cut_short(run, fault, budget.limit):
        doubt = f"the run was cut short {fault.observed_s:.1f} s after the fault was lifted"
    text = f"not recovered within {fault.observed_s:.1f} s, limit {quantity(budget, budget.limit)}"
    return Verdict(
        name=budget.text,
        kind="budget",
        ruling="unknown" if doubt else "fail",
        evidence=doubt or text,
        counts={"measured": None, "limit": budget.limit, "observed_s": fault.observed_s},
    )


def _cut_short(run: Run, fault: FaultFigures, limit_s: float) -> bool:
    """Tell whether the run ended before its time and too soon to say that the shop failed."""
    early = bool(run.timeline.stops) or not run.timeline.ended
    return early and fault.observed_s < limit_s + run.plan.recovery_hold_s


def _phases_after(run: Run, fault: FaultFigures) -> list[str]:
    """Return the phases from the fault's begin until the shop was back and held."""
    begin_s, _ = fault.disturbed_s
    end_s = run.plan.length_s
    if fault.lag_s is not None and fault.lifted_s is not None:
        end_s = fault.lifted_s + fault.lag_s + run.plan.recovery_hold_s
    spans = {phase: run.plan.phase_span_s(phase) for phase in run.plan.phase_starts_s}
    return [phase for phase, (start, end) in spans.items() if start < end_s and begin_s < end]


def _ruled(budget: Budget, value: float | None, *, doubt: str | None, over: str = "") -> Verdict:
    """Return the verdict on a measured value; a doubt makes it unknown, whatever the value."""
    facts: Mapping[str, float | int | None] = {"measured": value, "limit": budget.limit}
    if doubt is not None or value is None:
        evidence = doubt or "nothing was measured"
        return Verdict(budget.text, "budget", "unknown", evidence, dict(facts))
    measured, limit = quantity(budget, value), quantity(budget, budget.limit)
    within = budget.allows(value)
    return Verdict(
        name=budget.text,
        kind="budget",
        ruling="pass" if within else "fail",
        evidence=f"measured {measured}, limit {limit} ({over})",
        counts={**facts, "margin": _margin(budget, value)},
    )


def _margin(budget: Budget, value: float) -> float | None:
    """Return how much of the limit is left, as a share of it; negative when it is broken."""
    if not budget.limit:
        return None
    left = budget.limit - value if budget.sign in ("<=", "<") else value - budget.limit
    return round(left / budget.limit, 4)
