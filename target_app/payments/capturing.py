"""Capturing money that was set aside: the intent first, then the provider, then its word."""

import logging
from typing import TYPE_CHECKING

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.orders.states import OWING, Status
from target_app.orders.transitions import Change
from target_app.payments.findings import Charge, Finding, Refused
from target_app.payments.paying import FIRST_QUERY_S, PaymentAnswer, paid, processing
from target_app.problems import ProblemError

if TYPE_CHECKING:
    from target_app.shop import Shop

log = logging.getLogger(__name__)

ORDER = """
SELECT status, total, currency, expires_at <= now() AS lapsed
FROM orders WHERE order_id = $1 FOR UPDATE
"""
INTEND = """
UPDATE payments SET state = 'capturing', capture_key = $2,
    next_query_at = now() + $3 * interval '1 second'
WHERE order_id = $1 AND state = 'authorized'
RETURNING psp_key, psp_ref, amount, method
"""
UNDER_WAY = """
SELECT capture_key FROM payments WHERE order_id = $1 AND capture_key IS NOT NULL
ORDER BY created_at DESC LIMIT 1
"""


async def capture(shop: "Shop", *, order_id: str, key: str) -> PaymentAnswer:
    """Take the money that was set aside for an order, once, and sell its units.

    Once the intent is committed, trouble with our own books is "processing": the money may have
    moved, so nobody may be told that nothing was done.
    """
    async with shop.change() as change:
        intent = await _intend(change, order_id=order_id, key=key)
    if isinstance(intent, PaymentAnswer):
        return intent
    charge, psp_ref = intent
    finding = await captured(shop, charge, psp_ref=psp_ref)
    try:
        status = await shop.book(charge, finding)
    except (UnavailableError, UnknownOutcomeError) as error:
        log.warning("%s: the capture is not booked yet: %s", charge.psp_key, error)
        return processing(order_id)
    if status is Status.PAID:
        return paid(order_id, charge.amount)
    if status is Status.CANCELLED:
        raise ProblemError(409, "authorization_expired")
    return processing(order_id)


async def captured(shop: "Shop", charge: Charge, *, psp_ref: str) -> Finding:
    """Ask for a capture; a refusal says nothing about why, so the charge itself is looked at."""
    answer = await shop.provider.capture(
        psp_ref=psp_ref, psp_key=charge.psp_key, amount=charge.amount
    )
    if isinstance(answer, Refused):
        return await shop.provider.find(order_id=charge.order_id, psp_key=charge.psp_key)
    return answer


async def _intend(change: Change, *, order_id: str, key: str) -> tuple[Charge, str] | PaymentAnswer:
    order = await change.connection.fetchrow(ORDER, order_id)
    if order is None:
        raise ProblemError(404, "unknown_order")
    row = None
    if order["status"] == Status.AUTHORIZED and not order["lapsed"]:
        row = await change.connection.fetchrow(INTEND, order_id, key, FIRST_QUERY_S)
    if row is not None:
        charge = Charge(
            order_id, row["psp_key"], row["amount"], order["currency"], row["method"], "manual"
        )
        return charge, row["psp_ref"]
    first = await change.connection.fetchval(UNDER_WAY, order_id)
    if first == key and order["status"] in OWING:
        return paid(order_id, order["total"], replayed=True)
    if first is not None and order["status"] == Status.AUTHORIZED:
        raise ProblemError(409, "key_in_flight" if first == key else "payment_in_progress")
    raise ProblemError(409, "not_capturable", details={"order_status": order["status"]})
