import pytest

from target_app.orders.states import (
    HOLDING,
    MOVES,
    OWING,
    OnCapture,
    Status,
    StockEffect,
    on_capture,
)


@pytest.mark.parametrize(
    ("status", "pays_in_full", "expected"),
    [
        (Status.PAYMENT_PROCESSING, True, OnCapture.PAY),
        (Status.PENDING_PAYMENT, True, OnCapture.PAY),
        (Status.EXPIRED, True, OnCapture.PAY_IF_STOCK),
        (Status.CANCELLED, True, OnCapture.PAY_IF_STOCK),
        (Status.AUTHORIZED, True, OnCapture.PAY),
        (Status.PAID, True, OnCapture.REFUND),
        (Status.FULFILLED, True, OnCapture.REFUND),
        (Status.REFUND_PENDING, True, OnCapture.REFUND),
        (Status.REFUNDED, True, OnCapture.REFUND),
        (Status.PAYMENT_PROCESSING, False, OnCapture.REFUND),
        (Status.EXPIRED, False, OnCapture.REFUND),
        (Status.REVIEW, True, OnCapture.AS_DECIDED),
        (Status.REVIEW, False, OnCapture.AS_DECIDED),
    ],
)
def test_what_money_means(status: Status, pays_in_full: bool, expected: OnCapture) -> None:
    assert on_capture(status, pays_in_full) is expected


@pytest.mark.parametrize(
    "forbidden",
    [
        (Status.PAID, Status.EXPIRED),
        (Status.EXPIRED, Status.PENDING_PAYMENT),
        (Status.FULFILLED, Status.CANCELLED),
        (Status.PAYMENT_PROCESSING, Status.CANCELLED),
        (Status.REFUNDED, Status.PAID),
    ],
)
def test_what_cannot_happen(forbidden: tuple[Status, Status]) -> None:
    assert forbidden not in MOVES


def test_units_change_hands_exactly_when_the_order_does() -> None:
    """Except for orders in review, whose units people have yet to decide about."""
    for (source, target), effect in MOVES.items():
        if Status.REVIEW in {source, target}:
            expected = {Status.PAID: StockEffect.SETTLE}.get(target, StockEffect.FREE)
            assert effect is (StockEffect.NONE if target is Status.REVIEW else expected)
            continue
        assert effect is EFFECTS[_claim_on_units(source), _claim_on_units(target)]


def _claim_on_units(status: Status) -> str:
    if status in HOLDING:
        return "held"
    return "sold" if status in OWING else "none"


EFFECTS = {
    ("held", "held"): StockEffect.NONE,
    ("held", "sold"): StockEffect.CLAIM,
    ("held", "none"): StockEffect.RELEASE,
    ("sold", "sold"): StockEffect.NONE,
    ("sold", "none"): StockEffect.RETURN,
    ("none", "none"): StockEffect.NONE,
    ("none", "sold"): StockEffect.RETAKE,
}
