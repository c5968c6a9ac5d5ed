"""End holds by the clock alone, while a payment is under way, and know no way back.

The buyer is charged for an order that is gone, and nobody gives the money back.
"""

from target_app.orders.states import HOLDING, Status
from target_app.orders.transitions import Change, move
from target_app.payments.findings import Captured
from target_app.payments.settlement import book_capture

DUE = """
SELECT order_id, status FROM orders
WHERE status IN ('pending_payment', 'payment_processing') AND expires_at <= now()
ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
GIVE_UP = """
UPDATE payments SET state = 'failed' WHERE order_id = $1 AND state IN ('created', 'processing')
"""


async def expire_any(change: Change) -> bool:
    due = await change.connection.fetchrow(DUE)
    if due is None:
        return False
    await change.connection.execute(GIVE_UP, due["order_id"])
    return await move(change, due["order_id"], source=Status(due["status"]), target=Status.EXPIRED)


async def book_if_held(
    change: Change, *, order_id: str, psp_key: str, capture: Captured
) -> Status | None:
    """Book a capture for an order that still stands; for another there is "nothing to do"."""
    status = await change.connection.fetchval(
        "SELECT status FROM orders WHERE order_id = $1 FOR UPDATE", order_id
    )
    if status is None or status not in HOLDING:
        return None if status is None else Status(status)
    return await book_capture(change, order_id=order_id, psp_key=psp_key, capture=capture)
