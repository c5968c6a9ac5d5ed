"""The order state machine, pure: which moves there are and what each does to the stock."""

from enum import Enum, StrEnum


class Status(StrEnum):
    """Where an order stands. `payment_processing` means that nobody knows yet."""

    PENDING_PAYMENT = "pending_payment"
    PAYMENT_PROCESSING = "payment_processing"
    AUTHORIZED = "authorized"
    PAID = "paid"
    FULFILLED = "fulfilled"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUND_PENDING = "refund_pending"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    REVIEW = "review"


class StockEffect(Enum):
    """What a move does to the order's units; the first four are acts of `Reservations`.

    `SETTLE` and `FREE` come after a review, and do what the units that the order still has ask
    for: held ones are claimed or released, sold ones kept or returned, lost ones taken again.
    """

    NONE = "none"
    CLAIM = "claim"
    RELEASE = "release"
    RETAKE = "retake"
    RETURN = "return"
    SETTLE = "settle"
    FREE = "free"


MOVES: dict[tuple[Status, Status], StockEffect] = {
    (Status.PENDING_PAYMENT, Status.PAYMENT_PROCESSING): StockEffect.NONE,
    (Status.PAYMENT_PROCESSING, Status.PENDING_PAYMENT): StockEffect.NONE,
    (Status.PAYMENT_PROCESSING, Status.AUTHORIZED): StockEffect.NONE,
    (Status.PAYMENT_PROCESSING, Status.PAID): StockEffect.CLAIM,
    # Only once the provider has said that it took nothing and will not.
    (Status.PAYMENT_PROCESSING, Status.EXPIRED): StockEffect.RELEASE,
    # The intent was lost in a failover, the charge was not.
    (Status.PENDING_PAYMENT, Status.AUTHORIZED): StockEffect.NONE,
    (Status.PENDING_PAYMENT, Status.PAID): StockEffect.CLAIM,
    (Status.PENDING_PAYMENT, Status.EXPIRED): StockEffect.RELEASE,
    (Status.PENDING_PAYMENT, Status.CANCELLED): StockEffect.RELEASE,
    (Status.AUTHORIZED, Status.PAID): StockEffect.CLAIM,
    (Status.AUTHORIZED, Status.CANCELLED): StockEffect.RELEASE,
    (Status.EXPIRED, Status.PAID): StockEffect.RETAKE,
    (Status.CANCELLED, Status.PAID): StockEffect.RETAKE,
    (Status.EXPIRED, Status.REFUND_PENDING): StockEffect.NONE,
    (Status.CANCELLED, Status.REFUND_PENDING): StockEffect.NONE,
    (Status.PAID, Status.FULFILLED): StockEffect.NONE,
    (Status.PAID, Status.REFUND_PENDING): StockEffect.RETURN,
    (Status.FULFILLED, Status.REFUND_PENDING): StockEffect.RETURN,
    (Status.PARTIALLY_REFUNDED, Status.REFUND_PENDING): StockEffect.RETURN,
    # Part of the money goes back, the goods stay with the buyer.
    (Status.PAID, Status.PARTIALLY_REFUNDED): StockEffect.NONE,
    (Status.FULFILLED, Status.PARTIALLY_REFUNDED): StockEffect.NONE,
    (Status.REFUND_PENDING, Status.REFUNDED): StockEffect.NONE,
    (Status.PENDING_PAYMENT, Status.REVIEW): StockEffect.NONE,
    (Status.AUTHORIZED, Status.REVIEW): StockEffect.NONE,
    (Status.PAID, Status.REVIEW): StockEffect.NONE,
    (Status.REFUND_PENDING, Status.REVIEW): StockEffect.NONE,
    (Status.REVIEW, Status.PAID): StockEffect.SETTLE,
    (Status.REVIEW, Status.REFUND_PENDING): StockEffect.FREE,
    (Status.REVIEW, Status.CANCELLED): StockEffect.FREE,
}
"""Every move an order can make. What is not here cannot happen."""

HOLDING = frozenset({Status.PENDING_PAYMENT, Status.PAYMENT_PROCESSING, Status.AUTHORIZED})
"""States in which units are reserved for the order."""

OWING = frozenset({Status.PAID, Status.FULFILLED, Status.PARTIALLY_REFUNDED})
"""States in which units are sold to the order."""


class OnCapture(Enum):
    """What to do about money that has arrived."""

    PAY = "pay"
    PAY_IF_STOCK = "pay if units are left, else give the money back"
    REFUND = "give the money back, the order stays as it is"
    AS_DECIDED = "keep it until people decide, pay if they have decided that"


def on_capture(status: Status, pays_in_full: bool) -> OnCapture:
    """Decide what a capture that the shop has not booked yet means for an order in `status`."""
    if status is Status.REVIEW:
        return OnCapture.AS_DECIDED
    if not pays_in_full:
        return OnCapture.REFUND
    if status in HOLDING:
        return OnCapture.PAY
    if status in {Status.EXPIRED, Status.CANCELLED}:
        return OnCapture.PAY_IF_STOCK
    return OnCapture.REFUND
