"""Cancelling an order that has not been paid for, on its buyer's wish."""

from typing import Any

from target_app.orders.reading import order_by_id
from target_app.orders.states import Status
from target_app.orders.transitions import Change, move
from target_app.problems import ProblemError

LOCK = """
SELECT status, expires_at <= now() AS lapsed FROM orders WHERE order_id = $1 FOR UPDATE
"""
VOID_LATER = """
UPDATE payments SET state = 'voiding', next_query_at = now()
WHERE order_id = $1 AND state = 'authorized' RETURNING payment_id
"""


async def cancelled(change: Change, order_id: str) -> dict[str, Any]:
    """Cancel an order if it may still be; return it as cancelled, by this request or before.

    Money that was only set aside is let go of afterwards, by the reconciliation.

    Raises:
        ProblemError: There is no such order, its hold has ended, or money is or was moving.
    """
    row = await change.connection.fetchrow(LOCK, order_id)
    if row is None:
        raise ProblemError(404, "unknown_order")
    source = Status(row["status"])
    if source is Status.PENDING_PAYMENT and row["lapsed"]:
        raise ProblemError(409, "order_expired", details={"order_status": Status.EXPIRED})
    if source is Status.AUTHORIZED:
        if await change.connection.fetchval(VOID_LATER, order_id) is None:
            raise ProblemError(409, "payment_in_progress", details={"order_status": source})
        await move(change, order_id, source=source, target=Status.CANCELLED)
    elif source is Status.PENDING_PAYMENT:
        await move(change, order_id, source=source, target=Status.CANCELLED)
    elif source is not Status.CANCELLED:
        code = "order_expired" if source is Status.EXPIRED else "not_cancellable"
        raise ProblemError(409, code, details={"order_status": source})
    order = await order_by_id(change.connection, order_id)
    assert order is not None
    return order
