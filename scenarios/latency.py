"""Latencies on their way into an HdrHistogram interval log: collected cheaply, encoded later.

One line per due second and tag (`reserve.intended`, `reserve.service`, `lateness`), in
microseconds with 3 significant digits. Lines of the same second and tag add up.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from typing import Final

from hdrh.histogram import HdrHistogram

LOWEST_US: Final = 1
HIGHEST_US: Final = 60_000_000
SIGNIFICANT_DIGITS: Final = 3
US_PER_S: Final = 1e6
VALUES_PER_TURN: Final = 1000
RECORDS_PER_TURN: Final = 200
"""Counting so many values, or recording so many counts, takes about a third of a millisecond."""

_RESOLVED_BITS: Final = 11

LATENESS: Final = "lateness"


def header(started_epoch_s: float) -> bytes:
    """Return the first lines of a log whose times are seconds from second 0 of the run."""
    return (
        "#[Histogram log format version 1.3]\n"
        f"#[StartTime: {started_epoch_s:.3f} (seconds since epoch)]\n"
        "#[times are seconds on the run's clock, values microseconds, Interval_Max milliseconds]\n"
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
    ).encode()


class Latencies:
    """Values by second and tag until they are taken out as lines; taking one in costs little."""

    def __init__(self) -> None:
        self._values: dict[tuple[int, str], array[float]] = {}

    def add(self, second: int, tag: str, seconds: float) -> None:
        """Keep one value of the second in which it was due."""
        values = self._values.get((second, tag))
        if values is None:
            values = self._values[second, tag] = array("d")
        values.append(seconds)

    def lines(self, *, before_s: float) -> Iterator[bytes]:
        """Yield the log lines of all seconds before `before_s`; an empty one is a turn's end.

        Each step takes less than a millisecond, so that a caller can let others run in between.
        """
        for second, tag in sorted(key for key in self._values if key[0] < before_s):
            yield from _encode(second, tag, self._values.pop((second, tag)))


def _encode(second: int, tag: str, values: "array[float]") -> Iterator[bytes]:
    """Count equal microseconds first, in C: a call for each value would cost as much as sending."""
    found: Counter[int] = Counter()
    for start in range(0, len(values), VALUES_PER_TURN):
        part = values[start : start + VALUES_PER_TURN]
        found.update(map(round, map(US_PER_S.__mul__, part)))
        yield b""
    cells: Counter[int] = Counter()
    for number, (value_us, count) in enumerate(found.items(), start=1):
        cells[_resolved(value_us)] += count
        if number % VALUES_PER_TURN == 0:
            yield b""
    histogram = HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)
    for number, (value_us, count) in enumerate(cells.items(), start=1):
        histogram.record_value(value_us, count)
        if number % RECORDS_PER_TURN == 0:
            yield b""
    yield b""
    max_ms = min(HIGHEST_US, max(values) * US_PER_S) / 1000
    encoded = histogram.encode().decode("ascii")
    yield f"Tag={tag},{second}.000,1.000,{max_ms:.3f},{encoded}\n".encode()


def _resolved(value_us: int) -> int:
    """Return a value as the histogram tells it from others, so that equal ones are added once.

    With three digits it keeps the highest eleven bits; the rest does not change its cell.
    """
    value_us = min(HIGHEST_US, max(LOWEST_US, value_us))
    spare_bits = value_us.bit_length() - _RESOLVED_BITS
    return value_us if spare_bits <= 0 else value_us >> spare_bits << spare_bits
