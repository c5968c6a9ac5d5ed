from collections.abc import Sequence

import pytest

from doorbuster.gate import Gate, baseline_gate
from doorbuster.series import GeneratorSecond, OperationSecond, StockSecond
from tests.fakes import plan_of

PLAN = plan_of()  # its baseline is seconds 0 to 4


def busy(
    second: int, *, due: int = 40, served: int | None = None, info: int = 0
) -> OperationSecond:
    return OperationSecond(
        second, "view", due=due, ok=due - info, info=info, served=due if served is None else served
    )


STEADY = [busy(second) for second in range(5)]
ON_TIME = [GeneratorSecond(second, offered=40, started=40) for second in range(5)]
ADDS_UP = [StockSecond(1.0, "HOT-1", initial=20, available=12, reserved=5, sold=3)]


def gate(
    operations: Sequence[OperationSecond] = STEADY,
    generator: Sequence[GeneratorSecond] = ON_TIME,
    stock: Sequence[StockSecond] = ADDS_UP,
) -> Gate:
    return baseline_gate(PLAN, operations=operations, generator=generator, stock=stock)


def test_a_steady_baseline_passes_and_says_how_steady() -> None:
    assert gate() == Gate(True, 1.0, "100% of its seconds were steady")


def test_no_operation_is_no_pass() -> None:
    found = gate([])
    assert (found.passed, found.steady_share) == (False, None)
    assert "nothing to compare with" in found.reason


@pytest.mark.parametrize(
    "bad",
    [
        busy(2, served=37),  # below 95 %
        busy(2, info=1),  # above 1 %
    ],
)
def test_one_unsteady_second_in_five_is_too_many(bad: OperationSecond) -> None:
    found = gate([*STEADY[:2], bad, *STEADY[3:]])
    assert (found.passed, found.steady_share) == (False, 0.8)
    assert found.reason == "80% of the baseline's seconds were steady, expected at least 90%"


@pytest.mark.parametrize("second", [-1, 5])
def test_only_the_baseline_counts(second: int) -> None:
    assert gate([*STEADY, busy(second, served=0, info=40)]).passed


def test_a_late_outcome_adds_to_its_second() -> None:
    late = OperationSecond(2, "pay", due=10, info=10)
    assert not gate([*STEADY, late]).passed


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GeneratorSecond(3, offered=40, started=38, missed=2), "missed 2 arrivals"),
        (GeneratorSecond(3, offered=40, started=40, late=3), "started 3 of 240 arrivals late"),
    ],
)
def test_a_generator_that_cannot_keep_up_stops_the_run(row: GeneratorSecond, reason: str) -> None:
    found = gate(generator=[*ON_TIME, row])
    assert not found.passed
    assert reason in found.reason


def test_the_generator_may_warm_up() -> None:
    cold = GeneratorSecond(-1, offered=40, started=20, missed=20, late=20)
    assert gate(generator=[cold, *ON_TIME]).passed


def test_one_late_arrival_in_a_hundred_is_allowed() -> None:
    assert gate(generator=[*ON_TIME[:4], GeneratorSecond(4, offered=40, started=40, late=2)]).passed


@pytest.mark.parametrize(("available", "reserved", "sold"), [(12, 5, 4), (-1, 18, 3), (12, 5, 2)])
def test_stock_that_does_not_add_up_stops_the_run(available: int, reserved: int, sold: int) -> None:
    row = StockSecond(3.25, "HOT-1", 20, available, reserved, sold)
    found = gate(stock=[*ADDS_UP, row])
    assert not found.passed
    assert f"stock of HOT-1 did not add up at 3.2 s: {available} available" in found.reason


def test_every_reason_is_given() -> None:
    missed = GeneratorSecond(3, offered=1, missed=1)
    odd = StockSecond(1.0, "HOT-1", 20, 0, 0, 21)
    reasons = gate([busy(0, served=0)], [missed], [odd]).reason.split("; ")
    assert [reason.split()[0] for reason in reasons] == ["0%", "the", "stock"]
