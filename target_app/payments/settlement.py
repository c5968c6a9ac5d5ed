"""What the provider's word does to an order, whoever brings it: reply, webhook or query.

All of them come through here, and every step is a compare-and-set: the first to bring the news
has its effect, the others find it done.
"""

from target_app.orders.states import OnCapture, Status, on_capture
from target_app.orders.transitions import Change, move
from target_app.payments.provider_client import Captured, Declined
from target_app.reservations import SoldOutError

BOOK_CAPTURE = """
INSERT INTO payments (payment_id, order_id, method, psp_key, psp_ref, state, amount,
                      created_at, next_query_at)
VALUES ($1, $2, 'unknown', $3, $4, 'captured', $5, now(), now())
ON CONFLICT (psp_key) DO UPDATE SET state = 'captured', psp_ref = $4, amount = $5
    WHERE payments.state NOT IN ('captured', 'refunded')
RETURNING payment_id
"""
BOOK_DECLINE = """
UPDATE payments SET state = 'declined', psp_ref = $2
WHERE psp_key = $1 AND state IN ('created', 'processing') RETURNING order_id
"""
REFUND_LATER = "UPDATE payments SET refund_due = true, next_query_at = now() WHERE psp_key = $1"
BOOK_REFUND = """
UPDATE payments SET state = 'refunded' WHERE psp_key = $1 AND state = 'captured' RETURNING order_id
"""


async def book_capture(
    change: Change, *, order_id: str, psp_key: str, capture: Captured
) -> Status | None:
    """Record that the money has arrived, give the order what it is due, return where it stands.

    None if the shop has no such order: it may have been lost with a database node, and its money
    is for people to look at.
    """
    connection = change.connection
    order = await connection.fetchrow(
        "SELECT status, total FROM orders WHERE order_id = $1 FOR UPDATE", order_id
    )
    if order is None:
        return None
    status = Status(order["status"])
    booked = await connection.fetchval(
        BOOK_CAPTURE, f"p_{psp_key}", order_id, psp_key, capture.psp_ref, capture.amount
    )
    if booked is None:
        return status
    in_full = capture.amount == order["total"]
    return await _follow_up(
        change, order_id, psp_key=psp_key, status=status, decision=on_capture(status, in_full)
    )


async def _follow_up(
    change: Change, order_id: str, *, psp_key: str, status: Status, decision: OnCapture
) -> Status:
    target = status
    match decision:
        case OnCapture.PAY:
            target = Status.PAID
            await move(change, order_id, source=status, target=target)
        case OnCapture.PAY_IF_STOCK if await _retaken(change, order_id, source=status):
            target = Status.PAID
        case OnCapture.PAY_IF_STOCK:
            target = Status.REFUND_PENDING
            await change.connection.execute(REFUND_LATER, psp_key)
            await move(change, order_id, source=status, target=target)
        case OnCapture.REFUND:
            await change.connection.execute(REFUND_LATER, psp_key)
            if status is Status.PAYMENT_PROCESSING:
                target = Status.PENDING_PAYMENT
                await move(change, order_id, source=status, target=target)
    return target


async def _retaken(change: Change, order_id: str, *, source: Status) -> bool:
    """Try to take the units again that the order lost, in a savepoint of its own."""
    moves_before = len(change.moves)
    try:
        async with change.connection.transaction():
            return await move(change, order_id, source=source, target=Status.PAID)
    except SoldOutError:
        del change.moves[moves_before:]
        return False


async def book_decline(change: Change, *, psp_key: str, decline: Declined) -> None:
    order_id = await change.connection.fetchval(BOOK_DECLINE, psp_key, decline.psp_ref)
    if order_id is not None:
        await move(
            change, order_id, source=Status.PAYMENT_PROCESSING, target=Status.PENDING_PAYMENT
        )


async def book_refund(change: Change, *, psp_key: str) -> None:
    order_id = await change.connection.fetchval(BOOK_REFUND, psp_key)
    if order_id is not None:
        await move(change, order_id, source=Status.REFUND_PENDING, target=Status.REFUNDED)
