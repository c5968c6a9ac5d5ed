"""Laws of steadiness and recovery, whatever the run looked like."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from doorbuster.series import OperationSecond
from doorbuster.steady import MIN_DUE, Recovery, Window, recovery, steady_share, windows


@st.composite
def rows(draw: st.DrawFn) -> OperationSecond:
    ok, refused, fail, info = (draw(st.integers(0, 8)) for _ in range(4))
    return OperationSecond(
        draw(st.integers(-3, 25)),
        draw(st.sampled_from(["view", "reserve", "pay"])),
        due=ok + refused + fail + info,
        ok=ok,
        refused=refused,
        fail=fail,
        info=info,
        served=draw(st.integers(0, ok + refused)),
    )


runs = st.lists(rows(), max_size=60)


@st.composite
def watched_runs(draw: st.DrawFn) -> list[Window]:
    """Return windows one after the other, each steady or clearly not."""
    at_s, found = 0, []
    for steady, lasts_s in draw(st.lists(st.tuples(st.booleans(), st.integers(1, 4)))):
        served = 40 if steady else 0
        found.append(Window(at_s, at_s + lasts_s, 40, served, 40 - served))
        at_s += lasts_s
    return found


lifts = st.integers(0, 60).map(lambda quarter: quarter / 4)
holds = st.integers(1, 24).map(lambda quarter: quarter / 4)


def recovered(watched: list[Window], lifted_s: float, hold_s: float) -> Recovery:
    return recovery(watched, lifted_s=lifted_s, hold_s=hold_s, max_error_share=0.01)


def lag_s(watched: list[Window], lifted_s: float, hold_s: float) -> float:
    found = recovered(watched, lifted_s, hold_s).lag_s
    return math.inf if found is None else found


@given(runs, st.integers(0, 10), st.integers(0, 12))
def test_windows_partition_the_seconds(
    found: list[OperationSecond], start_s: int, lasts_s: int
) -> None:
    end_s = start_s + lasts_s
    merged = windows(found, start_s=start_s, end_s=end_s)
    within = [row for row in found if start_s <= row.second < end_s]
    busy = [row.second for row in within if row.due]
    if not merged:
        assert sum(row.due for row in within) < MIN_DUE
        return
    assert merged[0].start_s == start_s
    for before, after in pairwise(merged):
        assert before.end_s == after.start_s
    assert max(busy) < merged[-1].end_s <= end_s
    assert all(window.due >= MIN_DUE and window.end_s > window.start_s for window in merged)
    assert sum(window.due for window in merged) == sum(row.due for row in within)
    assert sum(window.served for window in merged) == sum(row.served for row in within)
    assert sum(window.errors for window in merged) == sum(row.fail + row.info for row in within)


@given(runs, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(found: list[OperationSecond], chance: object) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert windows(shuffled, start_s=0, end_s=20) == windows(found, start_s=0, end_s=20)


@given(watched_runs(), lifts, holds)
def test_the_lag_is_never_negative_and_never_longer_than_the_watch(
    watched: list[Window], lifted_s: float, hold_s: float
) -> None:
    found = recovered(watched, lifted_s, hold_s)
    assert found.observed_s >= 0
    assert found.lag_s is None or 0 <= found.lag_s <= found.observed_s - hold_s + 1e-9


@given(watched_runs(), lifts, holds, st.data())
def test_another_bad_window_never_shortens_the_lag(
    watched: list[Window], lifted_s: float, hold_s: float, data: st.DataObject
) -> None:
    if not watched:
        return
    position = data.draw(st.integers(0, len(watched) - 1))
    window = watched[position]
    spoilt = Window(window.start_s, window.end_s, window.due, 0, window.due)
    worse = [*watched[:position], spoilt, *watched[position + 1 :]]
    assert lag_s(worse, lifted_s, hold_s) >= lag_s(watched, lifted_s, hold_s)


@given(watched_runs(), lifts, holds, holds)
def test_having_to_hold_longer_never_shortens_the_lag(
    watched: list[Window], lifted_s: float, one: float, other: float
) -> None:
    shorter, longer = sorted([one, other])
    assert lag_s(watched, lifted_s, longer) >= lag_s(watched, lifted_s, shorter)


@given(watched_runs(), lifts, holds)
def test_what_happened_before_the_lift_does_not_matter(
    watched: list[Window], lifted_s: float, hold_s: float
) -> None:
    after = [window for window in watched if window.end_s > lifted_s]
    assert recovered(after, lifted_s, hold_s) == recovered(watched, lifted_s, hold_s)


@given(watched_runs(), lifts, holds)
def test_a_relapse_comes_after_the_recovery(
    watched: list[Window], lifted_s: float, hold_s: float
) -> None:
    found = recovered(watched, lifted_s, hold_s)
    for relapse_s in found.relapses_s:
        assert found.lag_s is not None
        assert relapse_s >= lifted_s + found.lag_s + hold_s - 1e-9


@given(watched_runs())
def test_the_steady_share_is_a_share(watched: list[Window]) -> None:
    found = steady_share(watched, 0.01)
    assert (found is None) == (not watched)
    assert found is None or 0 <= found <= 1
