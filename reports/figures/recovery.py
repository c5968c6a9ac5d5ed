"""How the shop came back from each fault: recovery lag, relapses, and a failover's split."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from doorbuster.operations import EFFECTS
from doorbuster.series import OperationSecond
from doorbuster.steady import Recovery, Window, error_limit, recovery, windows
from reports.evidence import Run
from reports.reading.derived import sql_list
from reports.reading.timeline import FaultSpan

_SECONDS: Final = """
SELECT second, 'all' AS op, sum(due)::BIGINT AS due, sum(served)::BIGINT AS served,
       sum(fail)::BIGINT AS fail, sum(info)::BIGINT AS info
FROM operation_seconds WHERE second >= 0 GROUP BY second
"""

_FIRST_EFFECT: Final = f"""
SELECT min(ended_s) AS first_s FROM operations
WHERE outcome = 'ok' AND op IN {sql_list(EFFECTS)} AND last_sent_s >= $after_s
"""


class FaultFigures(msgspec.Struct, frozen=True):
    """One fault and how the shop came back; moments on the run's clock.

    Args:
        lag_s: From lifted to steady for good; None when that was not seen within `observed_s`.
        limit_s: The objective (RTO) that the budgets set.
        relapses_s: Starts of later unsteady stretches that no other fault explains.
        lost_again_s: The start of the one that lasted to the end of the run.
        faltered: Whether anything unsteady was seen after the lift.
        disturbed_by: The fault that was on next after the lift, and how long after it.
        split_s: Of a failover, how long each step took, in order.
        noticed_s: From its begin to the first note of a person, None if nobody wrote one before
            the next fault began.
        acted_s: The same for the first act.
    """

    name: str
    on: str
    kind: str
    begin_s: float
    active_s: float | None
    end_s: float | None
    lifted_s: float | None
    lag_s: float | None
    observed_s: float
    limit_s: float | None
    relapses_s: tuple[float, ...]
    split_s: dict[str, float]
    noticed_s: float | None = None
    acted_s: float | None = None
    lost_again_s: float | None = None
    faltered: bool = False
    disturbed_by: tuple[str, float] | None = None

    @property
    def disturbed_s(self) -> tuple[float, float]:
        """From injection to recovery, at most to its recovery limit; endless if not lifted."""
        if self.lifted_s is None:
            return self.begin_s, float("inf")
        lags_s = [lag for lag in (self.lag_s, self.limit_s) if lag is not None]
        return self.begin_s, self.lifted_s + min(lags_s, default=float("inf"))


def fault_figures(run: Run) -> list[FaultFigures]:
    """Return what became of each fault that was begun, in order."""
    watched = watched_windows(run)
    limit = error_limit(_baseline_error_share(run, watched))
    figures = [_figures(run, fault, watched, limit) for fault in run.timeline.faults]
    spans_s = [fault.disturbed_s for fault in figures]
    return [_beside_others(fault, figures, spans_s) for fault in figures]


def watched_windows(run: Run) -> list[Window]:
    """Return the windows from the first phase's start to the last one's end."""
    rows = [msgspec.convert(row, OperationSecond) for row in run.rows(_SECONDS)]
    return windows(rows, start_s=0, end_s=int(run.plan.length_s))


def _baseline_error_share(run: Run, watched: Sequence[Window]) -> float:
    baseline = [window for window in watched if window.end_s <= run.plan.baseline_s]
    due = sum(window.due for window in baseline)
    return sum(window.errors for window in baseline) / due if due else 0.0


def _figures(
    run: Run, fault: FaultSpan, watched: Sequence[Window], max_error_share: float
) -> FaultFigures:
    back = Recovery(None, 0.0)
    if fault.lifted_s is not None:
        back = recovery(
            watched,
            lifted_s=fault.lifted_s,
            hold_s=run.plan.recovery_hold_s,
            max_error_share=max_error_share,
        )
    return FaultFigures(
        name=fault.name,
        on=fault.on,
        kind=fault.kind,
        begin_s=fault.begin_s,
        active_s=fault.active_s,
        end_s=fault.end_s,
        lifted_s=fault.lifted_s,
        lag_s=back.lag_s,
        observed_s=back.observed_s,
        limit_s=run.plan.recovery_limit_s(fault.name),
        relapses_s=back.relapses_s,
        lost_again_s=back.lost_again_s,
        faltered=back.faltered,
        split_s=failover_split(run, fault, back.lag_s) if fault.kind == "failover" else {},
        noticed_s=_since_begin_s(fault, run.timeline.first_by_people_s("note", fault)),
        acted_s=_since_begin_s(fault, run.timeline.first_by_people_s("act", fault)),
    )


def _since_begin_s(fault: FaultSpan, at_s: float | None) -> float | None:
    return None if at_s is None else round(at_s - fault.begin_s, 3)


def _beside_others(
    fault: FaultFigures, faults: Sequence[FaultFigures], spans_s: Sequence[tuple[float, float]]
) -> FaultFigures:
    """Return a fault's figures without what is another one's doing, and what that one is."""
    relapses_s = _own_relapses(fault, spans_s)
    return msgspec.structs.replace(
        fault,
        relapses_s=relapses_s,
        lost_again_s=fault.lost_again_s if fault.lost_again_s in relapses_s else None,
        disturbed_by=_disturbed_by(fault, faults),
    )


def _disturbed_by(fault: FaultFigures, faults: Sequence[FaultFigures]) -> tuple[str, float] | None:
    lifted_s = fault.lifted_s
    if lifted_s is None:
        return None
    on = [
        (max(0.0, other.begin_s - lifted_s), other.name)
        for other in faults
        if other.name != fault.name and (other.lifted_s is None or other.lifted_s > lifted_s)
    ]
    if not on:
        return None
    after_s, name = min(on)
    return name, round(after_s, 3)


def _own_relapses(fault: FaultFigures, spans_s: Sequence[tuple[float, float]]) -> tuple[float, ...]:
    """Return the relapses that do not begin while another fault is felt."""
    others = [span for span in spans_s if span != fault.disturbed_s]
    felt = partial(_within_any, others)
    return tuple(start_s for start_s in fault.relapses_s if not felt(start_s))


def _within_any(spans_s: Sequence[tuple[float, float]], second: float) -> bool:
    return any(start_s < second + 1 and second < end_s for start_s, end_s in spans_s)


def failover_split(run: Run, fault: FaultSpan, lag_s: float | None) -> dict[str, float]:
    """Return how long each part of a failover took; parts whose end was not seen are left out.

    `first ok order` and `steady` count from the loss of the primary, as a shopper feels it.
    """
    lost_s = fault.steps_s.get("primary ended", fault.begin_s)
    parts_s: dict[str, float] = {}
    before_s = lost_s
    for part, step in (
        ("detection", "detected"),
        ("fencing", "fenced"),
        ("freeing the standby", "standby freed"),
        ("promotion", "promoted"),
        ("first write", "first write"),
    ):
        if step in fault.steps_s:
            parts_s[part] = round(fault.steps_s[step] - before_s, 3)
            before_s = fault.steps_s[step]
    first_s = run.row(_FIRST_EFFECT, after_s=lost_s)["first_s"]
    if first_s is not None:
        parts_s["first ok operation after the loss"] = round(first_s - lost_s, 3)
    if lag_s is not None and fault.lifted_s is not None:
        parts_s["steady after the loss"] = round(fault.lifted_s + lag_s - lost_s, 3)
    return parts_s
