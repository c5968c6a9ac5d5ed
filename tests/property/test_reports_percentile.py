"""Percentiles from the latency logs are those of the sorted values, within the log's resolution."""

import math
from fractions import Fraction

from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.evidence import run_of
from reports.figures.latency import percentile_s
from reports.reading.histograms import counts
from tests.unit.reports_fixture import PLAN

VALUES_US = st.lists(st.integers(1, 60_000_000), min_size=1, max_size=60)
PERCENT = st.integers(1, 99)


@settings(deadline=None, max_examples=20)
@given(VALUES_US)
def test_the_sparse_reading_is_what_was_recorded(values_us: list[int]) -> None:
    histogram = HdrHistogram(1, 60_000_000, 3)
    for value_us in values_us:
        histogram.record_value(value_us)
    highest = histogram.get_highest_equivalent_value
    recorded = [
        (highest(step.value_iterated_to), step.count_added_in_this_iter_step)
        for step in histogram.get_recorded_iterator()
    ]
    assert list(counts(histogram.encode().decode())) == recorded


def test_a_percentile_is_that_of_the_sorted_values() -> None:
    with run_of(PLAN) as run:

        @settings(deadline=None, max_examples=40)
        @given(VALUES_US, PERCENT)
        def law(values_us: list[int], percent: int) -> None:
            run.connection.execute("DELETE FROM latency")
            rows = [("pay.intended", n % 3, value_us, 1) for n, value_us in enumerate(values_us)]
            run.connection.executemany("INSERT INTO latency VALUES (?, ?, ?, ?, '0')", rows)
            rank = math.ceil(Fraction(percent, 100) * len(values_us))
            expected_s = sorted(values_us)[rank - 1] / 1e6
            found_s = percentile_s(run, [0, 1, 2], "pay.intended", quantile=percent / 100)
            assert found_s == expected_s

        law()
