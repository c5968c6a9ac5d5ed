"""The order state machine, pure: which moves there are and what each does to the stock."""

from enum import Enum, StrEnum


class Status(StrEnum):
    """Where an order stands. `payment_processing` means that nobody knows yet."""

    PENDING_PAYMENT = "pending_payment"
    PAYMENT_PROCESSING = "payment_processing"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUND_PENDING = "refund_pending"
    REFUNDED = "refunded"


class StockEffect(Enum):
    """What a move does to the order's units; the names are those of `Reservations`."""

    NONE = "none"
    CLAIM = "claim"
    RELEASE = "release"
    RETAKE = "retake"


MOVES: dict[tuple[Status, Status], StockEffect] = {
    (Status.PENDING_PAYMENT, Status.PAYMENT_PROCESSING): StockEffect.NONE,
    (Status.PAYMENT_PROCESSING, Status.PENDING_PAYMENT): StockEffect.NONE,
    (Status.PAYMENT_PROCESSING, Status.PAID): StockEffect.CLAIM,
    # The intent was lost in a failover, the charge was not.
    (Status.PENDING_PAYMENT, Status.PAID): StockEffect.CLAIM,
    (Status.PENDING_PAYMENT, Status.EXPIRED): StockEffect.RELEASE,
    (Status.PENDING_PAYMENT, Status.CANCELLED): StockEffect.RELEASE,
    (Status.EXPIRED, Status.PAID): StockEffect.RETAKE,
    (Status.CANCELLED, Status.PAID): StockEffect.RETAKE,
    (Status.EXPIRED, Status.REFUND_PENDING): StockEffect.NONE,
    (Status.CANCELLED, Status.REFUND_PENDING): StockEffect.NONE,
    (Status.REFUND_PENDING, Status.REFUNDED): StockEffect.NONE,
}
"""Every move an order can make. What is not here cannot happen."""

HOLDING = frozenset({Status.PENDING_PAYMENT, Status.PAYMENT_PROCESSING})
"""States in which units are reserved for the order."""


class OnCapture(Enum):
    """What to do about money that has arrived."""

    PAY = "pay"
    PAY_IF_STOCK = "pay if units are left, else give the money back"
    REFUND = "give the money back, the order stays as it is"


def on_capture(status: Status, pays_in_full: bool) -> OnCapture:
    """Decide what a capture that the shop has not booked yet means for an order in `status`."""
    if not pays_in_full:
        return OnCapture.REFUND
    if status in HOLDING:
        return OnCapture.PAY
    if status in {Status.EXPIRED, Status.CANCELLED}:
        return OnCapture.PAY_IF_STOCK
    return OnCapture.REFUND
