"""What became of a visit: the furthest stage it reached, and what it was lost by."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from doorbuster.funnel import LOSSES, STAGES, Stage
from doorbuster.series import FunnelSecond
from scenarios.shopper import Shopper
from scenarios.step import Result, Step

_REACHED: Final[Mapping[str, Stage]] = {
    "view": "viewed",
    "stock": "viewed",
    "cart": "carted",
    "quote": "carted",
    "reserve": "reserved",
    "pay": "paid",
}
"""Operation to the stage that an ok of it reaches."""


class Visit:
    """Follows one session's results; where `reserving_buys` nobody is asked to pay afterwards."""

    def __init__(self, *, reserving_buys: bool = False) -> None:
        self._bought_by = "reserve" if reserving_buys else "pay"
        self.lost: str | None = "looked"
        self._stage = 0

    @property
    def stage(self) -> Stage:
        return STAGES[self._stage]

    def saw(self, step: Step, result: Result) -> None:
        """Take in how a step ended."""
        if step.op == "reserve":
            self._reach("tried")
        if result.outcome == "ok":
            self._succeeded(step.op)
        elif self.stage != "paid" and (step.op == "pay" or self.stage != "reserved"):
            self.lost = result.reason if result.reason in LOSSES else "errors"

    def left(self, lost: str) -> None:
        """Take note of why they go, unless something went wrong before that says more."""
        if self.lost == "looked":
            self.lost = lost

    def stopped(self) -> None:
        """Take note that traffic ended before the visit did."""
        if self.stage != "paid":
            self.lost = "unfinished"

    def _succeeded(self, op: str) -> None:
        if op not in _REACHED:
            return
        self._reach(_REACHED[op])
        if op == self._bought_by:
            self._reach("paid")
            self.lost = None
        elif op == "reserve":
            self.lost = "abandoned"

    def _reach(self, stage: Stage) -> None:
        self._stage = max(self._stage, STAGES.index(stage))


class VisitCounts:
    """Visits that ended since the last flush, by the second they were due in."""

    def __init__(self) -> None:
        self._visits: Counter[tuple[int, str, str, str, str]] = Counter()

    def count(self, shopper: Shopper, visit: Visit) -> None:
        second = math.floor(shopper.due_s)
        self._visits[second, shopper.persona, shopper.channel, visit.stage, visit.lost or ""] += 1

    def flush(self) -> Iterator[FunnelSecond]:
        """Yield what is new since the last flush, oldest second first."""
        new, self._visits = self._visits, Counter()
        for (second, persona, channel, stage, lost), sessions in sorted(new.items()):
            yield FunnelSecond(second, persona, channel, stage, sessions, lost or None)
