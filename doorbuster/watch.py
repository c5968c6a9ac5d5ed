"""Watching a run while it goes on: its series as far as written, stop conditions, live figures."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from doorbuster.budgets import StopCondition
from doorbuster.errors import DoorbusterError
from doorbuster.gate import Gate, baseline_gate
from doorbuster.plan import Plan
from doorbuster.rundir import RunDirectory
from doorbuster.series import GeneratorSecond, OperationSecond, StockSecond

Record = TypeVar("Record", bound=msgspec.Struct)

SETTLED_S: Final = 3
"""How old a second is when it is shown: most outcomes are known by then."""


@dataclass
class Tail(Generic[Record]):
    """Reads the records that were appended to a set of files since it last looked."""

    folder: Path
    pattern: str
    record: type[Record]
    rows: list[Record] = field(default_factory=list)
    _offsets: dict[Path, int] = field(default_factory=dict)

    def read(self) -> list[Record]:
        """Read on, and return all rows so far; an unfinished last line waits for the next time."""
        decoder = msgspec.json.Decoder(self.record)
        for path in sorted(self.folder.glob(self.pattern)):
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                complete, newline, _ = file.read().rpartition(b"\n")
            try:
                self.rows += [decoder.decode(line) for line in complete.splitlines()]
            except msgspec.MsgspecError as error:
                raise DoorbusterError(f"{path}: {error}") from error
            self._offsets[path] = self._offsets.get(path, 0) + len(complete) + len(newline)
        return self.rows


@dataclass(frozen=True)
class LiveSecond:
    """One second of the run as far as it is known."""

    second: int
    offered: int
    started: int
    missed: int
    ok: int
    refused: int
    fail: int
    info: int


class Watch:
    """What is known of a run so far, for the gate, the stop conditions and the terminal."""

    def __init__(self, plan: Plan, run: RunDirectory) -> None:
        self._plan = plan
        self._operations = Tail(run.series, "operations-*.ndjson", OperationSecond)
        self._generator = Tail(run.series, "generator-*.ndjson", GeneratorSecond)
        self._stock = Tail(run.series, "stock.ndjson", StockSecond)

    def gate(self) -> Gate:
        """Judge the baseline, see `gate`."""
        return baseline_gate(
            self._plan,
            operations=self._operations.read(),
            generator=self._generator.read(),
            stock=self._stock.read(),
        )

    def breach(self, now_s: float) -> str | None:
        """Return the text of a stop condition that is met, if one is."""
        if not self._plan.stop:
            return None
        rows = self._operations.read()
        for condition in self._plan.parsed_stops:
            if is_met(condition, rows, now_s, settled_s=settled_s(self._plan)):
                return condition.text
        return None

    def second(self, second: int) -> LiveSecond:
        """Return what is known of one second by now."""
        generator = [row for row in self._generator.read() if row.second == second]
        operations = [row for row in self._operations.read() if row.second == second]
        return LiveSecond(
            second,
            offered=sum(row.offered for row in generator),
            started=sum(row.started for row in generator),
            missed=sum(row.missed for row in generator),
            ok=sum(row.ok for row in operations),
            refused=sum(row.refused for row in operations),
            fail=sum(row.fail for row in operations),
            info=sum(row.info for row in operations),
        )


def settled_s(plan: Plan) -> int:
    """Return how old a second is when a stop condition first looks at it.

    What was sent as late as the second's end has had its answer by then, or its first time-out.
    """
    return max(SETTLED_S, math.ceil(plan.traffic.timeout) + 1)


def is_met(
    condition: StopCondition, rows: Iterable[OperationSecond], now_s: float, *, settled_s: int
) -> bool:
    """Tell whether each of the last seconds of the condition's window was beyond its limit.

    An operation that was begun and has no outcome after `settled_s` counts as an error: it was
    tried in vain at least once, and is tried on for as long as its shopper's patience lasts. What
    the shop has answered is `pending` is not counted as begun until its outcome is known. A second
    in which nothing was begun says nothing, so the condition is not met.
    """
    last = int(now_s) - settled_s
    seconds = range(last - round(condition.window_s) + 1, last + 1)
    if seconds.start < 0:
        return False
    by_second: dict[int, list[OperationSecond]] = defaultdict(list)
    for row in rows:
        if row.second in seconds and condition.breach.measure.op in (None, row.op):
            by_second[row.second].append(row)
    return all(_beyond(condition, by_second[second]) for second in seconds)


def _beyond(condition: StopCondition, rows: Sequence[OperationSecond]) -> bool:
    ended = sum(row.due for row in rows)
    under_way = max(0, sum(row.begun for row in rows) - ended)
    if not ended + under_way:
        return False
    if condition.breach.measure.metric == "errors":
        errors = sum(row.fail + row.info for row in rows) + under_way
        return condition.breach.allows(errors / (ended + under_way))
    return condition.breach.allows(sum(row.good for row in rows))
