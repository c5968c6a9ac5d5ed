"""What the provider's word does to an order, whoever brings it: reply, webhook or query.

All of them come through here, and every step is a compare-and-set: the first to bring the news
has its effect, the others find it done.
"""

from target_app.orders.states import OnCapture, Status, on_capture
from target_app.orders.transitions import Change, move
from target_app.payments.findings import Authorized, Captured, Declined
from target_app.reservations import SoldOutError

ORDER = """
SELECT status, total, expires_at <= now() AS lapsed FROM orders WHERE order_id = $1 FOR UPDATE
"""
BOOK_CAPTURE = """
INSERT INTO payments (payment_id, order_id, method, psp_key, psp_ref, state, amount,
                      created_at, next_query_at)
VALUES ($1, $2, 'unknown', $3, $4, 'captured', $5, now(), now())
ON CONFLICT (psp_key) DO UPDATE SET state = 'captured', psp_ref = $4, amount = $5
    WHERE payments.state NOT IN ('captured', 'refunded')
RETURNING payment_id
"""
BOOK_AUTHORIZATION = """
INSERT INTO payments (payment_id, order_id, method, psp_key, psp_ref, state, amount,
                      created_at, next_query_at, capture_method)
VALUES ($1, $2, 'unknown', $3, $4, $6, $5, now(), now(), 'manual')
ON CONFLICT (psp_key) DO UPDATE SET state = $6, psp_ref = $4, amount = $5, next_query_at = now()
    WHERE payments.state IN ('created', 'processing')
RETURNING payment_id
"""
BOOK_DECLINE = """
UPDATE payments SET state = 'declined', psp_ref = $2
WHERE psp_key = $1 AND state IN ('created', 'processing') RETURNING order_id
"""
BOOK_CLOSED = """
UPDATE payments SET state = 'voided' WHERE psp_key = $1
AND state IN ('created', 'processing', 'authorized', 'capturing', 'voiding') RETURNING order_id
"""
REFUND_LATER = """
INSERT INTO refunds (refund_id, order_id, psp_key, amount, restock, state, next_try_at, created_at)
SELECT psp_key || ':refund', order_id, psp_key, amount, false, 'pending', now(), now()
FROM payments WHERE psp_key = $1 AND amount > 0
ON CONFLICT DO NOTHING
"""
# A decision is about the money that its operator could see.
DECIDED_TO_PAY = """
SELECT d.decision = 'pay' AND p.amount = o.total AND p.created_at <= d.at
FROM decisions d JOIN orders o USING (order_id) JOIN payments p USING (order_id)
WHERE d.order_id = $1 AND p.psp_key = $2 ORDER BY d.id DESC LIMIT 1
"""


async def book_capture(
    change: Change, *, order_id: str, psp_key: str, capture: Captured
) -> Status | None:
    """Record that the money has arrived, give the order what it is due, return where it stands.

    None if the shop has no such order: it may have been lost with a database node, and its money
    is for people to look at.
    """
    connection = change.connection
    order = await connection.fetchrow(ORDER, order_id)
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
            target = WITHOUT_MONEY.get(status, status)
            if target is not status:
                await move(change, order_id, source=status, target=target)
        case OnCapture.AS_DECIDED:
            decided = await change.connection.fetchval(DECIDED_TO_PAY, order_id, psp_key)
            if decided and await _retaken(change, order_id, source=status):
                target = Status.PAID
    return target


WITHOUT_MONEY = {
    Status.PAYMENT_PROCESSING: Status.PENDING_PAYMENT,
    Status.AUTHORIZED: Status.CANCELLED,
}
"""Where an order goes whose money came to something other than its price."""


async def _retaken(change: Change, order_id: str, *, source: Status) -> bool:
    """Try to take the units again that the order lost, in a savepoint of its own."""
    moves_before = len(change.moves)
    try:
        async with change.connection.transaction():
            return await move(change, order_id, source=source, target=Status.PAID)
    except SoldOutError:
        del change.moves[moves_before:]
        return False


async def book_authorization(
    change: Change, *, order_id: str, psp_key: str, authorization: Authorized
) -> Status | None:
    """Record that the money is set aside; where nothing can be bought with it, let go of it."""
    order = await change.connection.fetchrow(ORDER, order_id)
    if order is None:
        return None
    status = Status(order["status"])
    waiting = status in {Status.PENDING_PAYMENT, Status.PAYMENT_PROCESSING}
    wanted = waiting and authorization.amount == order["total"]
    booked = await change.connection.fetchval(
        BOOK_AUTHORIZATION,
        f"p_{psp_key}",
        order_id,
        psp_key,
        authorization.psp_ref,
        authorization.amount,
        "authorized" if wanted else "voiding",
    )
    if booked is None:
        return status
    target = Status.AUTHORIZED if wanted else WITHOUT_MONEY.get(status, status)
    if target is not status:
        await move(change, order_id, source=status, target=target)
    return target


async def book_decline(change: Change, *, psp_key: str, decline: Declined) -> None:
    order_id = await change.connection.fetchval(BOOK_DECLINE, psp_key, decline.psp_ref)
    if order_id is not None:
        await move(
            change, order_id, source=Status.PAYMENT_PROCESSING, target=Status.PENDING_PAYMENT
        )


async def book_closed(change: Change, *, order_id: str, psp_key: str) -> Status | None:
    """Record that this charge never will take money; the order's units are free once it lapsed."""
    order = await change.connection.fetchrow(ORDER, order_id)
    if order is None or await change.connection.fetchval(BOOK_CLOSED, psp_key) is None:
        return None
    status = Status(order["status"])
    target = status
    if status is Status.PAYMENT_PROCESSING:
        target = Status.EXPIRED if order["lapsed"] else Status.PENDING_PAYMENT
    elif status is Status.AUTHORIZED:
        target = Status.CANCELLED
    if target is not status:
        await move(change, order_id, source=status, target=target)
    return target
