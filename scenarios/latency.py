"""Latencies on their way into an HdrHistogram interval log: collected cheaply, encoded later.

One line per due second and tag (`reserve.intended`, `reserve.service`, `lateness`), in
microseconds with 3 significant digits. Lines of the same second and tag add up.
"""

import math
from array import array
from collections.abc import Iterator
from typing import Final

from hdrh.histogram import HdrHistogram

LOWEST_US: Final = 1
HIGHEST_US: Final = 60_000_000
SIGNIFICANT_DIGITS: Final = 3
VALUES_PER_TURN: Final = 200
"""Recording this many takes about a third of a millisecond."""

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
    """Values by second and tag until they are taken out as lines."""

    def __init__(self) -> None:
        self._seconds: dict[int, dict[str, array[int]]] = {}

    def add(self, due_s: float, tag: str, seconds: float) -> None:
        """Keep one value; the second is the one in which it was due."""
        value_us = min(HIGHEST_US, max(LOWEST_US, round(seconds * 1e6)))
        tags = self._seconds.setdefault(math.floor(due_s), {})
        if tag not in tags:
            tags[tag] = array("l")
        tags[tag].append(value_us)

    def lines(self, *, before_s: float) -> Iterator[bytes]:
        """Yield the log lines of all seconds before `before_s`; an empty one is a turn's end.

        Each step takes less than a millisecond, so that a caller can let others run in between.
        """
        for second in sorted(second for second in self._seconds if second < before_s):
            for tag, values in self._seconds.pop(second).items():
                yield from _encode(second, tag, values)


def _encode(second: int, tag: str, values: "array[int]") -> Iterator[bytes]:
    histogram = HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)
    for start in range(0, len(values), VALUES_PER_TURN):
        for value_us in values[start : start + VALUES_PER_TURN]:
            histogram.record_value(value_us)
        yield b""
    max_ms = max(values) / 1000
    encoded = histogram.encode().decode("ascii")
    yield f"Tag={tag},{second}.000,1.000,{max_ms:.3f},{encoded}\n".encode()
