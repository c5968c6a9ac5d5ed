"""The bands of a chart say no more of a fault than was seen."""

import pytest

from reports.figures.recovery import FaultFigures
from reports.pages.drawing import felt


def figures(lag_s: float | None, observed_s: float) -> FaultFigures:
    return FaultFigures(
        name="payments latency",
        on="payments",
        kind="latency",
        begin_s=4.0,
        active_s=4.1,
        end_s=6.0,
        lifted_s=6.0,
        lag_s=lag_s,
        observed_s=observed_s,
        limit_s=None,
        relapses_s=(),
        split_s={},
    )


@pytest.mark.parametrize(
    ("lag_s", "observed_s", "until_s"),
    [(2.0, 9.0, [6.0, 8.0]), (None, 9.0, [6.0, 15.0]), (None, 1.5, [6.0, 7.5]), (None, 0.0, [6.0])],
    ids=["steady again", "never steady", "cut short", "killed at once"],
)
def test_a_fault_is_felt_as_long_as_it_was_seen(
    lag_s: float | None, observed_s: float, until_s: list[float]
) -> None:
    bands = felt(figures(lag_s, observed_s), 15.0)
    assert [band["to"] for band in bands] == until_s
