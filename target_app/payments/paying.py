"""Intents to pay: recorded before the provider is asked, and what an earlier one implies.

The payments table doubles as the store of idempotency keys: a repeated request finds its own
attempt and is told where that stands now.
"""

from collections.abc import Callable
from typing import Any, Literal

import asyncpg
import msgspec

from target_app.orders.states import OWING, Status
from target_app.orders.transitions import Change, move
from target_app.payments.findings import Charge
from target_app.problems import ProblemError

FIRST_QUERY_S = 1.5
"""An intent this old without an answer is asked about, be its replica alive or not."""

ORDER = """
SELECT order_id, status, total, currency, expires_at <= now() AS lapsed
FROM orders WHERE order_id = $1 FOR UPDATE
"""
# A statement of its own: one that waited for the order's lock still sees the payments of before.
ATTEMPTS = """
SELECT count(*) AS number,
       max(method || ' ' || capture_method) FILTER (WHERE request_key = $2) AS earlier_method,
       max(state) FILTER (WHERE request_key = $2) AS earlier_state
FROM payments WHERE order_id = $1
"""
INTEND = """
INSERT INTO payments (payment_id, order_id, request_key, method, psp_key, state, amount,
                      created_at, next_query_at, capture_method)
VALUES ($1, $2, $3, $4, $5, 'processing', $6, now(), now() + $7 * interval '1 second', $8)
"""
WAIVE = """
INSERT INTO payments (payment_id, order_id, request_key, method, psp_key, state, amount,
                      created_at, next_query_at, capture_method)
VALUES ($1, $2, $3, $4, $5, 'waived', 0, now(), now(), $6)
"""
REFUSED = {
    Status.EXPIRED: "order_expired",
    Status.CANCELLED: "order_cancelled",
    Status.REFUND_PENDING: "order_refunded",
    Status.REFUNDED: "order_refunded",
    Status.REVIEW: "order_in_review",
}

ProviderKey = Callable[[str, int], str]


class Payment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a payment: taken at once, or set aside until it is captured."""

    method: str
    capture_method: Literal["automatic", "manual"] = "automatic"


class PaymentAnswer(msgspec.Struct, frozen=True):
    """Where a payment stands."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


async def intend(
    change: Change, payment: Payment, *, order_id: str, key: str, provider_key: ProviderKey
) -> Charge | PaymentAnswer:
    """Record the intent to charge, or answer right away where there is nothing to charge.

    Raises:
        ProblemError: The order cannot be paid, or not under this key.
    """
    order = await change.connection.fetchrow(ORDER, order_id)
    if order is None:
        raise ProblemError(404, "unknown_order")
    attempts = await change.connection.fetchrow(ATTEMPTS, order_id, key)
    assert attempts is not None
    standing = _standing(order, attempts, f"{payment.method} {payment.capture_method}")
    if standing is not None:
        return standing
    psp_key = provider_key(order_id, attempts["number"] + 1)
    if not order["total"]:
        return await _waived(change, payment, order_id=order_id, key=key, psp_key=psp_key)
    await change.connection.execute(
        INTEND,
        f"p_{psp_key}",
        order_id,
        key,
        payment.method,
        psp_key,
        order["total"],
        FIRST_QUERY_S,
        payment.capture_method,
    )
    await move(change, order_id, source=Status.PENDING_PAYMENT, target=Status.PAYMENT_PROCESSING)
    return Charge(
        order_id,
        psp_key,
        order["total"],
        order["currency"],
        payment.method,
        payment.capture_method,
    )


async def _waived(
    change: Change, payment: Payment, *, order_id: str, key: str, psp_key: str
) -> PaymentAnswer:
    """Make an order paid that costs nothing; no provider takes a charge of nothing."""
    values = (key, payment.method, psp_key, payment.capture_method)
    await change.connection.execute(WAIVE, f"p_{psp_key}", order_id, *values)
    await move(change, order_id, source=Status.PENDING_PAYMENT, target=Status.PAID)
    return paid(order_id, 0)


def _standing(order: asyncpg.Record, attempts: asyncpg.Record, method: str) -> PaymentAnswer | None:
    """Return the answer that order and earlier attempt already imply, None if it is payable."""
    repeated = attempts["earlier_method"] is not None
    if repeated and attempts["earlier_method"] != method:
        raise ProblemError(422, "key_mismatch")
    if attempts["earlier_state"] == "declined":
        raise ProblemError(402, "card_declined", headers={"Idempotent-Replayed": "true"})
    return _by_status(order, repeated=repeated)


def _by_status(order: asyncpg.Record, *, repeated: bool) -> PaymentAnswer | None:
    status = Status(order["status"])
    if status in OWING:
        return paid(order["order_id"], order["total"], replayed=repeated)
    if status is Status.AUTHORIZED:
        return authorized(order["order_id"], order["total"], replayed=repeated)
    if status is Status.PAYMENT_PROCESSING:
        if not repeated:
            raise ProblemError(409, "payment_in_progress")
        return processing(order["order_id"], replayed=True)
    if status in REFUSED:
        raise ProblemError(409, REFUSED[status])
    if order["lapsed"]:
        raise ProblemError(409, "order_expired")
    return None


def paid(order_id: str, amount: int, *, replayed: bool = False) -> PaymentAnswer:
    return PaymentAnswer(200, {"order_id": order_id, "status": "paid", "amount": amount}, replayed)


def authorized(order_id: str, amount: int, *, replayed: bool = False) -> PaymentAnswer:
    body = {"order_id": order_id, "status": "authorized", "amount": amount}
    return PaymentAnswer(200, body, replayed)


def processing(order_id: str, *, replayed: bool = False) -> PaymentAnswer:
    return PaymentAnswer(202, {"order_id": order_id, "status": "payment_processing"}, replayed)
