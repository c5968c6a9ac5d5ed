"""Budgets: each limit of the plan against what was measured, or why that cannot be said."""

from collections.abc import Iterator, Mapping, Sequence
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
    """Return the verdict on each budget of the plan, and on what no plan has to ask for.

    Budgets `outside faults` leave out what follows a fault until the shop is back, so a shop that
    never is has failed, whether or not there is a budget for that.
    """
    asked = [_verdict(run, budget, measured) for budget in run.plan.parsed_budgets]
    budgeted = {budget.measure.fault for budget in run.plan.parsed_budgets}
    unasked = [
        _never_back(run, fault, measured) for fault in measured.faults if fault.name not in budgeted
    ]
    return asked + [verdict for verdict in unasked if verdict is not None]


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
    within = fault.lag_s is not None and budget.allows(fault.lag_s)
    doubt = _unseen(run, fault, measured, within_s=None if within else budget.limit)
    limit = quantity(budget, budget.limit)
    if fault.lag_s is None:
        said = f"{_in_vain(fault)}, limit {limit}"
        return _not_back(budget.text, said, fault, limit_s=budget.limit, doubt=doubt)
    if within and fault.lost_again_s is not None:
        said = _lost_again(fault)
        return _not_back(budget.text, said, fault, limit_s=budget.limit, doubt=doubt)
    relapses = ", ".join(f"{second:g} s" for second in fault.relapses_s)
    over = f"relapsed at {relapses}" if relapses else "no relapse"
    return _ruled(budget, fault.lag_s, doubt=doubt, over=over)


def _never_back(run: Run, fault: FaultFigures, measured: Measured) -> Verdict | None:
    """Return a fail where the shop was certainly not back when the run ended."""
    lost = fault.lag_s is None or fault.lost_again_s is not None
    watched = fault.lifted_s is not None and fault.observed_s >= run.plan.recovery_hold_s
    if not lost or not watched or _unseen(run, fault, measured, within_s=float("inf")):
        return None
    said = _in_vain(fault) if fault.lag_s is None else _lost_again(fault)
    return _not_back(f'recovered("{fault.name}")', said, fault)


def _unseen(
    run: Run, fault: FaultFigures, measured: Measured, *, within_s: float | None
) -> str | None:
    """Return why a lifted fault's recovery says nothing about the shop.

    `within_s` is the limit that the recovery was not seen to keep, None if it was.
    """
    if doubt := _saturated(measured.generator, _phases_after(run, fault)):
        return doubt
    if not fault.observed_s:
        return "no operation was recorded after the fault was lifted"
    return None if within_s is None else next(_excuses(run, fault, within_s), None)


def _excuses(run: Run, fault: FaultFigures, within_s: float) -> Iterator[str]:
    """Yield why a recovery that was not seen in time may have been there."""
    hold_s = run.plan.recovery_hold_s
    if fault.disturbed_by is not None and fault.disturbed_by[1] <= within_s:
        name, after_s = fault.disturbed_by
        yield f"fault {name!r} was on {after_s:g} s after the lift, before the shop was seen back"
    if fault.lag_s is None and _cut_short(run, fault, within_s):
        yield f"the run was cut short {fault.observed_s:.1f} s after the fault was lifted"
    if fault.lag_s is None and not fault.faltered:
        left = f"{fault.observed_s:.1f} s of the {hold_s:g} s that count"
        yield f"nothing unsteady was seen, and only {left} were left"


def _in_vain(fault: FaultFigures) -> str:
    return f"not recovered within {fault.observed_s:.1f} s"


def _lost_again(fault: FaultFigures) -> str:
    assert fault.lag_s is not None, "it was back once"
    back = duration_text(round(fault.lag_s, 3))
    return f"back after {back}, relapsed at {fault.lost_again_s:g} s and not back since"


def _not_back(
    name: str,
    said: str,
    fault: FaultFigures,
    *,
    limit_s: float | None = None,
    doubt: str | None = None,
) -> Verdict:
    return Verdict(
        name=name,
        kind="budget",
        ruling="unknown" if doubt else "fail",
        evidence=doubt or said,
        counts={"measured": fault.lag_s, "limit": limit_s, "observed_s": fault.observed_s},
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
