"""What a run's own files say about the generator's lateness."""

import math

from hdrh.histogram import HdrHistogram

from doorbuster.rundir import RunDirectory
from scenarios.latency import HIGHEST_US, LATENESS, LOWEST_US, SIGNIFICANT_DIGITS


def lateness(run: RunDirectory, *, since_s: int, before_s: float = math.inf) -> dict[str, float]:
    """Return the lateness of arrivals that were due from `since_s` on and before `before_s`."""
    histogram = HdrHistogram(LOWEST_US, HIGHEST_US, SIGNIFICANT_DIGITS)
    for line in (run.latency / "0.hlog").read_text().splitlines():
        tag, _, rest = line.partition(",")
        if tag == f"Tag={LATENESS}" and since_s <= float(rest.split(",")[0]) < before_s:
            histogram.decode_and_add(rest.split(",")[3])
    return {
        "lateness_ms_p50": histogram.get_value_at_percentile(50) / 1000,
        "lateness_ms_p99": histogram.get_value_at_percentile(99) / 1000,
        "lateness_ms_max": histogram.get_max_value() / 1000,
    }
