"""Counts per second of a run: operations by their due second, and the generator itself.

Rows are additive: what became known since the last flush is written, whatever second it is about.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

from msgspec.structs import replace

from doorbuster.operations import REFUSALS
from doorbuster.series import GeneratorSecond, OperationSecond
from scenarios.step import Result

Ending = Literal["ok", "refused", "fail", "info"]

_ENDINGS: Final[tuple[Ending, ...]] = get_args(Ending)
_FIELDS: Final = (*_ENDINGS, "served", "good", "begun")

_SERVED: Final = ("ok", "refused")


class OperationCounts:
    """Operations that ended since the last flush, by the second they were due in."""

    def __init__(self, good_within_s: Mapping[str, float]) -> None:
        self._good_within_s = good_within_s
        self._seconds: dict[tuple[int, str], dict[str, int]] = {}

    def begun(self, second: int, op: str) -> None:
        """Count one operation that is under way."""
        self._row(second, op)["begun"] += 1

    def answered(self, second: int, op: str) -> None:
        """Count one of those no more."""
        self._row(second, op)["begun"] -= 1

    def count(self, second: int, op: str, ending: Ending, intended_s: float) -> None:
        """Count one operation; a refusal within the limit is served, only an ok is good."""
        row = self._row(second, op)
        row[ending] += 1
        if ending in _SERVED and intended_s <= self._good_within_s[op]:
            row["served"] += 1
            if ending == "ok":
                row["good"] += 1

    def _row(self, second: int, op: str) -> dict[str, int]:
        row = self._seconds.get((second, op))
        if row is None:
            row = self._seconds[second, op] = dict.fromkeys(_FIELDS, 0)
        return row

    def flush(self) -> Iterator[OperationSecond]:
        """Yield what is new since the last flush, oldest second first."""
        new, self._seconds = self._seconds, {}
        for (second, op), row in sorted(new.items()):
            due = sum(row[ending] for ending in _ENDINGS)
            yield OperationSecond(second, op, due, **row)


def is_refused(result: Result) -> bool:
    """Whether the shop gave a correct no, which is never an error."""
    return result.outcome == "fail" and result.reason in REFUSALS


class GeneratorCounts:
    """Arrivals since the last flush, by the second they were due in."""

    def __init__(self, *, worker: int = 0) -> None:
        self._worker = worker
        self._seconds: dict[int, list[int]] = {}

    def started(self, second: int) -> None:
        self._row(second)[0] += 1

    def missed(self, second: int) -> None:
        self._row(second)[1] += 1

    def flush(self, second: int, *, in_flight: int, cpu_share: float) -> Iterator[GeneratorSecond]:
        """Yield a row for `second`, with the gauges at its end, and one for each earlier second."""
        new, self._seconds = self._seconds, {}
        new.setdefault(second, [0, 0])
        for at, (started, missed) in sorted(new.items()):
            row = GeneratorSecond(at, started + missed, started, missed, worker=self._worker)
            yield replace(row, in_flight=in_flight, cpu_share=cpu_share) if at == second else row

    def _row(self, second: int) -> list[int]:
        row = self._seconds.get(second)
        if row is None:
            row = self._seconds[second] = [0, 0]
        return row
