"""Steady seconds and recovery: one definition for the baseline gate, the report and the budgets.

A window is steady when at least 95 % of the operations due in it were served and errors are at
most max(1 %, baseline + 0.5 points). Seconds with fewer than 20 due operations are merged with the
next. Served, not goodput, decides: before the opening nothing can be sold, and after sell-out
refusing is correct.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from doorbuster.series import OperationSecond

MIN_DUE: Final = 20
MIN_SERVED: Final = 0.95
RELAPSE_S: Final = 3
BASELINE_STEADY: Final = 0.9


@dataclass(frozen=True)
class Window:
    """Operations due in [start_s, end_s), counted over all kinds."""

    start_s: int
    end_s: int
    due: int
    served: int
    errors: int

    @property
    def error_share(self) -> float:
        return self.errors / self.due if self.due else 0.0


@dataclass(frozen=True)
class Recovery:
    """How the shop came back after a fault was lifted.

    `lag_s` is from the lift to the first steady second of a long enough steady run, None when the
    run ended first: then `observed_s` says how long it was watched in vain. `relapses_s` are the
    starts of later runs of three unsteady seconds, `lost_again_s` that of one that lasted to the
    end. `faltered` says whether anything unsteady was seen after the lift.
    """

    lag_s: float | None
    observed_s: float
    relapses_s: tuple[int, ...] = ()
    lost_again_s: int | None = None
    faltered: bool = False


def windows(rows: Iterable[OperationSecond], *, start_s: int, end_s: int) -> list[Window]:
    """Sum rows by second over [start_s, end_s) and merge seconds with too few due operations.

    What is left at the end with too few is merged into the window before.
    """
    due, served, errors = Counter[int](), Counter[int](), Counter[int]()
    for row in rows:
        due[row.second] += row.due
        served[row.second] += row.served
        errors[row.second] += row.fail + row.info
    merged: list[Window] = []
    open_ = Window(start_s, start_s, 0, 0, 0)
    for second in range(start_s, end_s):
        open_ = Window(
            open_.start_s,
            second + 1,
            open_.due + due[second],
            open_.served + served[second],
            open_.errors + errors[second],
        )
        if open_.due >= MIN_DUE:
            merged.append(open_)
            open_ = Window(second + 1, second + 1, 0, 0, 0)
    if open_.due and merged:
        last = merged.pop()
        merged.append(
            Window(
                last.start_s,
                open_.end_s,
                last.due + open_.due,
                last.served + open_.served,
                last.errors + open_.errors,
            )
        )
    return merged


def error_limit(baseline_error_share: float) -> float:
    """Return the share of errors up to which a window is steady."""
    return max(0.01, baseline_error_share + 0.005)


def is_steady(window: Window, max_error_share: float) -> bool:
    """Tell whether the shop kept up in `window`; one with no due operation shows nothing."""
    return (
        window.due > 0
        and window.served >= MIN_SERVED * window.due
        and window.error_share <= max_error_share
    )


def steady_share(watched: Sequence[Window], max_error_share: float) -> float | None:
    """Return the share of the watched seconds that were steady, None when none was watched."""
    seconds = sum(w.end_s - w.start_s for w in watched)
    steady = sum(w.end_s - w.start_s for w in watched if is_steady(w, max_error_share))
    return steady / seconds if seconds else None


def recovery(
    watched: Sequence[Window], *, lifted_s: float, hold_s: float, max_error_share: float
) -> Recovery:
    """Return how long after `lifted_s` the shop was back for good.

    Args:
        watched: Windows in order, to the end of the last phase.
        lifted_s: When the fault was seen to be gone.
        hold_s: How long it has to stay steady in a row.
        max_error_share: Up to which share of errors a window is steady, see `error_limit`.
    """
    after = [w for w in watched if w.end_s > lifted_s]
    observed_s = max(0.0, after[-1].end_s - lifted_s) if after else 0.0
    runs = _runs(after, max_error_share)
    faltered = not all(steady for steady, _, _ in runs)
    for position, (steady, start_s, end_s) in enumerate(runs):
        if steady and end_s - max(start_s, lifted_s) >= hold_s:
            later = [(s, e) for ok, s, e in runs[position + 1 :] if not ok and e - s >= RELAPSE_S]
            return Recovery(
                max(0.0, start_s - lifted_s),
                observed_s,
                relapses_s=tuple(s for s, _ in later),
                lost_again_s=next((s for s, e in later if e == runs[-1][2]), None),
                faltered=faltered,
            )
    return Recovery(None, observed_s, faltered=faltered)


def _runs(watched: Sequence[Window], max_error_share: float) -> list[tuple[bool, int, int]]:
    """Return maximal runs of steady or unsteady windows as (steady, start, end)."""
    runs: list[tuple[bool, int, int]] = []
    for window in watched:
        steady = is_steady(window, max_error_share)
        if runs and runs[-1][0] == steady:
            runs[-1] = (steady, runs[-1][1], window.end_s)
        else:
            runs.append((steady, window.start_s, window.end_s))
    return runs
