"""Long work in short turns, so slowly that the loop keeps its time for sessions."""

import time
from collections.abc import Iterator
from typing import Final

import gevent

REST_PER_WORK: Final = 6.0
"""Turn after turn without a rest, encoding a busy second's latencies makes the arrivals of 30 ms
late: each of them adds to what a turn has kept waiting already."""


def spread(turns: Iterator[None]) -> None:
    """Take all of `turns`, resting several times as long as each one took."""
    begun_s = time.perf_counter()
    for _ in turns:
        gevent.sleep(REST_PER_WORK * (time.perf_counter() - begun_s))
        begun_s = time.perf_counter()
