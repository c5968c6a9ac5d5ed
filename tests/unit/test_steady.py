import pytest

from doorbuster.series import OperationSecond
from doorbuster.steady import (
    Recovery,
    Window,
    error_limit,
    is_steady,
    recovery,
    steady_share,
    windows,
)


def rows(*due: int) -> list[OperationSecond]:
    return [OperationSecond(second, "view", due=n, served=n) for second, n in enumerate(due)]


def spans(found: list[Window]) -> list[tuple[int, int, int]]:
    return [(window.start_s, window.end_s, window.due) for window in found]


def watched(pattern: str, start_s: int = 0) -> list[Window]:
    """Return windows of one second: `.` steady, `x` not, `-` without a due operation."""
    due = {".": (40, 40, 0), "x": (40, 0, 40), "-": (0, 0, 0)}
    return [Window(start_s + n, start_s + n + 1, *due[mark]) for n, mark in enumerate(pattern)]


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        ((20, 30), [(0, 1, 20), (1, 2, 30)]),
        ((10, 10, 30), [(0, 2, 20), (2, 3, 30)]),
        ((0, 0, 20), [(0, 3, 20)]),
        ((20, 19), [(0, 2, 39)]),
        ((20, 0), [(0, 1, 20)]),
        ((19,), []),
        ((), []),
    ],
)
def test_seconds_with_few_operations_are_merged(
    due: tuple[int, ...], expected: list[tuple[int, int, int]]
) -> None:
    assert spans(windows(rows(*due), start_s=0, end_s=len(due))) == expected


def test_windows_sum_what_several_rows_say_of_a_second() -> None:
    found = windows(
        [
            OperationSecond(1, "view", due=20, ok=18, info=2, served=17),
            OperationSecond(1, "pay", due=5, fail=1, refused=4, served=4),
            OperationSecond(2, "pay", due=99),
            OperationSecond(0, "pay", due=99),
        ],
        start_s=1,
        end_s=2,
    )
    assert found == [Window(1, 2, due=25, served=21, errors=3)]


@pytest.mark.parametrize(
    ("served", "errors", "steady"),
    [(100, 0, True), (95, 1, True), (94, 0, False), (100, 2, False)],
)
def test_a_window_is_steady_within_both_limits(served: int, errors: int, steady: bool) -> None:
    assert is_steady(Window(0, 1, 100, served, errors), error_limit(0.0)) is steady


def test_a_window_without_operations_shows_nothing() -> None:
    assert not is_steady(Window(0, 1, 0, 0, 0), 1.0)


@pytest.mark.parametrize(("baseline", "limit"), [(0.0, 0.01), (0.005, 0.01), (0.02, 0.025)])
def test_errors_are_held_against_the_baseline(baseline: float, limit: float) -> None:
    assert error_limit(baseline) == pytest.approx(limit)


def test_the_steady_share_is_of_seconds_not_of_windows() -> None:
    assert steady_share([Window(0, 3, 20, 20, 0), *watched("x", 3)], 0.01) == 0.75
    assert steady_share([], 0.01) is None


def test_only_what_comes_after_the_lift_counts_as_held() -> None:
    """A window that began before the lift is longer than what it shows of the time after it."""
    wide = [Window(0, 10, due=40, served=40, errors=0)]
    for lifted_s, lag_s in ((5.0, 0.0), (5.5, None)):
        found = recovery(wide, lifted_s=lifted_s, hold_s=5.0, max_error_share=0.01)
        assert found.lag_s == lag_s


@pytest.mark.parametrize(
    ("pattern", "lifted_s", "expected"),
    [
        ("xxxx......", 4.0, Recovery(0.0, 6.0)),
        ("xxxx......", 2.5, Recovery(1.5, 7.5, faltered=True)),
        ("xxxx......", 4.5, Recovery(0.0, 5.5)),
        ("xx..x.....", 2.0, Recovery(3.0, 8.0, faltered=True)),
        ("xx........", 5.0, Recovery(0.0, 5.0)),
        ("xxxxxx....", 2.0, Recovery(None, 8.0, faltered=True)),
        ("xx....----", 2.0, Recovery(None, 8.0, faltered=True)),
        ("xxxxxxxxxx", 2.0, Recovery(None, 8.0, faltered=True)),
        (".....", 1.0, Recovery(None, 4.0)),
        ("..........", 12.0, Recovery(None, 0.0)),
        ("x.....xxx.", 1.0, Recovery(0.0, 9.0, (6,), faltered=True)),
        ("x.....xxx.xxx", 1.0, Recovery(0.0, 12.0, (6, 10), lost_again_s=10, faltered=True)),
        ("x.....xx..", 1.0, Recovery(0.0, 9.0, faltered=True)),
        ("", 0.0, Recovery(None, 0.0)),
    ],
    ids=[
        "at once",
        "after a while",
        "within a steady second",
        "not for good at first",
        "never noticed",
        "held too short",
        "silence is no recovery",
        "never",
        "watched too short",
        "lifted after the end",
        "relapsed",
        "relapsed for good",
        "two unsteady seconds are no relapse",
        "not watched",
    ],
)
def test_recovery_is_from_the_lift_until_steady_for_good(
    pattern: str, lifted_s: float, expected: Recovery
) -> None:
    found = recovery(watched(pattern), lifted_s=lifted_s, hold_s=5.0, max_error_share=0.01)
    assert found == expected
