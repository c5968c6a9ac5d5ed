"""Locust's statistics, for its web UI and its master, at a fraction of their usual cost."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import locust.stats
from locust.stats import RequestStats, StatsEntry, StatsEntryDict

VALUES_PER_TURN: Final = 500
"""Bucketing this many takes about a third of a millisecond."""


@dataclass(slots=True)
class _Batch:
    """Requests of one name, method and second: their times in milliseconds, and bytes in all."""

    times: list[float] = field(default_factory=list)
    length: int = 0


class BatchedStats(RequestStats):
    """Statistics that take in requests by appending, and count them up later.

    Locust counts every request twice at once, which costs more than sending it. Whoever reads
    them in this process sees what was there at the last `flush`.
    """

    def __init__(self, *, use_response_times_cache: bool = True) -> None:
        super().__init__(use_response_times_cache=use_response_times_cache)
        self._batches: dict[tuple[str, str, int], _Batch] = {}

    def log_request(
        self, method: str, name: str, response_time: float, content_length: int
    ) -> None:
        """Take in one request, as Locust's listener of the `request` event does."""
        key = (name, method, int(time.time()))
        batch = self._batches.get(key)
        if batch is None:
            batch = self._batches[key] = _Batch()
        batch.times.append(response_time)
        batch.length += content_length

    def flush(self) -> Iterator[None]:
        """Count up what was taken in; yield often, for others to run.

        A batch is given up only when it is counted whole: who is interrupted loses nothing, and of
        two who count the same one, the second to finish leaves it.
        """
        for key, batch in list(self._batches.items()):
            taken, length = batch.times[:], batch.length
            buckets: Counter[int] = Counter()
            for start in range(0, len(taken), VALUES_PER_TURN):
                part = taken[start : start + VALUES_PER_TURN]
                buckets.update(map(locust.stats.bucket_response_time, part))
                yield
            if self._batches.get(key) is batch:
                self._give_up(key, batch, len(taken), length)
                new = _entry(self, key, taken, buckets)
                new.total_content_length = length
                self.total.extend(new)
                self.entries[key[:2]].extend(new)

    def _give_up(
        self, key: tuple[str, str, int], batch: "_Batch", counted: int, length: int
    ) -> None:
        """Forget what was counted of a batch; what came meanwhile is a batch of its own."""
        del self._batches[key]
        if later := batch.times[counted:]:
            self._batches[key] = _Batch(later, batch.length - length)

    def reset_all(self) -> None:
        self._batches.clear()
        super().reset_all()

    def clear_all(self) -> None:
        self._batches.clear()
        super().clear_all()

    def serialize_stats(self) -> list[StatsEntryDict]:
        """Return what a worker tells its master."""
        for _ in self.flush():
            pass
        return super().serialize_stats()


def _entry(
    stats: RequestStats, key: tuple[str, str, int], times: list[float], buckets: Counter[int]
) -> Any:
    """Return the statistics of one second's requests, as Locust would have counted them."""
    name, method, second = key
    entry: Any = StatsEntry(stats, name, method)  # its times are declared whole, and are not
    entry.start_time = entry.last_request_timestamp = float(second)
    entry.num_requests = entry.num_reqs_per_sec[second] = len(times)
    entry.total_response_time = sum(times)
    entry.min_response_time, entry.max_response_time = min(times), max(times)
    entry.response_times.update(buckets)
    return entry
