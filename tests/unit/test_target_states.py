import pytest

from target_app.orders.states import HOLDING, MOVES, OnCapture, Status, StockEffect, on_capture


@pytest.mark.parametrize(
    ("status", "pays_in_full", "expected"),
    [
        (Status.PAYMENT_PROCESSING, True, OnCapture.PAY),
        (Status.PENDING_PAYMENT, True, OnCapture.PAY),
        (Status.EXPIRED, True, OnCapture.PAY_IF_STOCK),
        (Status.CANCELLED, True, OnCapture.PAY_IF_STOCK),
        (Status.PAID, True, OnCapture.REFUND),
        (Status.REFUND_PENDING, True, OnCapture.REFUND),
        (Status.REFUNDED, True, OnCapture.REFUND),
        (Status.PAYMENT_PROCESSING, False, OnCapture.REFUND),
        (Status.EXPIRED, False, OnCapture.REFUND),
    ],
)
def test_what_money_means(status: Status, pays_in_full: bool, expected: OnCapture) -> None:
    assert on_capture(status, pays_in_full) is expected


@pytest.mark.parametrize(
    "forbidden",
    [
        (Status.PAID, Status.EXPIRED),
        (Status.EXPIRED, Status.PENDING_PAYMENT),
        (Status.PAYMENT_PROCESSING, Status.EXPIRED),
        (Status.PAYMENT_PROCESSING, Status.CANCELLED),
        (Status.REFUNDED, Status.PAID),
    ],
)
def test_what_cannot_happen(forbidden: tuple[Status, Status]) -> None:
    assert forbidden not in MOVES


def test_units_change_hands_exactly_when_holding_changes() -> None:
    for (source, target), effect in MOVES.items():
        match effect:
            case StockEffect.NONE:
                assert (source in HOLDING) == (target in HOLDING)
                assert Status.PAID not in {source, target}
            case StockEffect.CLAIM:
                assert (source in HOLDING, target) == (True, Status.PAID)
            case StockEffect.RELEASE:
                assert (source in HOLDING, target in HOLDING) == (True, False)
            case StockEffect.RETAKE:
                assert (source in HOLDING, target) == (False, Status.PAID)
