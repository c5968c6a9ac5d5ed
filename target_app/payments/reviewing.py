"""Orders that people decide about: held for review, then settled, refunded or cancelled.

Nobody decides while money is on its way: what they saw would not be what they decide about. Money
that was only set aside is captured on the word "pay", and the order is paid once it has arrived.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import asyncpg
import msgspec

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.database.primary import Connection
from target_app.instants import rfc3339
from target_app.orders.states import Status
from target_app.orders.transitions import Change, move
from target_app.payments.capturing import captured
from target_app.payments.findings import Charge, Closed
from target_app.payments.paying import FIRST_QUERY_S
from target_app.payments.refunding import REFUNDABLE, record
from target_app.problems import ProblemError
from target_app.reservations import SoldOutError

if TYPE_CHECKING:
    from target_app.shop import Shop

log = logging.getLogger(__name__)

ORDER = "SELECT status, total, currency FROM orders WHERE order_id = $1 FOR UPDATE"
IN_MOTION = """
SELECT state FROM payments
WHERE order_id = $1 AND state IN ('created', 'processing', 'capturing', 'voiding') LIMIT 1
"""
CAPTURE = """
UPDATE payments SET state = 'capturing', next_query_at = now() + $3 * interval '1 second'
WHERE payment_id = (
    SELECT payment_id FROM payments WHERE order_id = $1 AND state = 'authorized' AND amount = $2
    ORDER BY created_at LIMIT 1
)
RETURNING psp_key, psp_ref, amount, method
"""
NOTE = "INSERT INTO decisions (order_id, decision, operator, note) VALUES ($1, $2, $3, $4)"
DECIDED = "SELECT decision, operator, note, at FROM decisions WHERE order_id = $1 ORDER BY id"
VOID_LATER = """
UPDATE payments SET state = 'voiding', next_query_at = now()
WHERE order_id = $1 AND state = 'authorized'
"""
HOLDABLE = frozenset(
    {Status.PENDING_PAYMENT, Status.AUTHORIZED, Status.PAID, Status.REFUND_PENDING}
)
TARGETS = {
    "hold": Status.REVIEW,
    "pay": Status.PAID,
    "refund": Status.REFUND_PENDING,
    "cancel": Status.CANCELLED,
}


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a decision: `hold` begins a review, the others end it."""

    decision: Literal["hold", "pay", "refund", "cancel"]
    operator: Annotated[str, msgspec.Meta(min_length=1)]
    note: str = ""


class Decided(msgspec.Struct, frozen=True):
    """Where a decision left the order, and the money that is yet to be captured for it."""

    status: Status
    capture: tuple[Charge, str] | None = None


async def decide(shop: "Shop", decision: Decision, *, order_id: str) -> Status:
    """Do what an operator decided, and keep who it was and why; return where the order stands.

    Raises:
        ProblemError: The order is not in review, or its money or stock does not allow it.
    """
    async with shop.change() as change:
        done = await _decide(change, decision, order_id=order_id)
    if done.capture is None:
        return done.status
    charge, psp_ref = done.capture
    finding = await captured(shop, charge, psp_ref=psp_ref)
    try:
        status = await shop.book(charge, finding)
    except (UnavailableError, UnknownOutcomeError) as error:
        log.warning("%s: the capture is not booked yet: %s", charge.psp_key, error)
        return done.status
    if isinstance(finding, Closed):
        raise ProblemError(409, "authorization_expired")
    return status or done.status


async def _decide(change: Change, decision: Decision, *, order_id: str) -> Decided:
    order = await change.connection.fetchrow(ORDER, order_id)
    if order is None:
        raise ProblemError(404, "unknown_order")
    source, target = Status(order["status"]), TARGETS[decision.decision]
    allowed = source in HOLDABLE if target is Status.REVIEW else source is Status.REVIEW
    if not allowed:
        raise ProblemError(409, "not_in_review", details={"order_status": source})
    moving = await change.connection.fetchval(IN_MOTION, order_id)
    if moving is not None:
        raise ProblemError(409, "payment_in_progress", details={"payment": moving})
    note = (order_id, decision.decision, decision.operator, decision.note)
    await change.connection.execute(NOTE, *note)
    if target is not Status.REVIEW:
        capture = await _see_to_money(change, order, order_id=order_id, target=target)
        if capture is not None:
            return Decided(source, capture)
    try:
        await move(change, order_id, source=source, target=target)
    except SoldOutError as error:
        raise ProblemError(409, "sold_out", details={"sku": error.sku}) from error
    return Decided(target)


async def _see_to_money(
    change: Change, order: asyncpg.Record, *, order_id: str, target: Status
) -> tuple[Charge, str] | None:
    """Make the money fit where the order goes; return the charge that must be captured for that."""
    payments = await change.connection.fetch(REFUNDABLE, order_id)
    kept = [payment for payment in payments if payment["rest"]]
    if target is Status.PAID:
        return await _leave_the_price(change, order, order_id=order_id, kept=kept)
    if target is Status.CANCELLED and kept:
        captured_so_far = sum(payment["rest"] for payment in kept)
        raise ProblemError(409, "refund_first", details={"captured": captured_so_far})
    if target is Status.REFUND_PENDING and not kept:
        raise ProblemError(409, "nothing_to_refund")
    for payment in kept:
        await record(change, payment, order_id=order_id, key=None, wish=(payment["rest"], True))
    await change.connection.execute(VOID_LATER, order_id)
    return None


async def _leave_the_price(
    change: Change,
    order: asyncpg.Record,
    *,
    order_id: str,
    kept: Sequence[asyncpg.Record],
) -> tuple[Charge, str] | None:
    """Keep one payment of the whole price and give back the others; without one, capture it."""
    total = order["total"]
    price = next((payment for payment in kept if payment["rest"] == total), None)
    capture = None
    if price is None and total:
        row = await change.connection.fetchrow(CAPTURE, order_id, total, FIRST_QUERY_S)
        if row is None:
            captured_so_far = sum(payment["rest"] for payment in kept)
            raise ProblemError(409, "not_paid_for", details={"captured": captured_so_far})
        charge = Charge(
            order_id, row["psp_key"], row["amount"], order["currency"], row["method"], "manual"
        )
        capture = charge, row["psp_ref"]
    for payment in kept:
        if payment is not price:
            wish = (payment["rest"], False)
            await record(change, payment, order_id=order_id, key=None, wish=wish)
    await change.connection.execute(VOID_LATER, order_id)
    return capture


async def decided(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    rows = await connection.fetch(DECIDED, order_id)
    return [{**row, "at": rfc3339(row["at"])} for row in rows]
