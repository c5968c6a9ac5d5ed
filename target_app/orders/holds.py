"""The end of unpaid holds.

An order past its `expires_at` can no longer be paid, whether or not anybody has come round to
move it; this only gives its units back. Safe to run in every replica at once.
"""

from target_app.orders.states import Status
from target_app.orders.transitions import Change, move

DUE = """
SELECT order_id FROM orders WHERE status = 'pending_payment' AND expires_at <= now()
ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""


async def expire_one(change: Change) -> bool:
    """Expire one order that is due, if there is one that nobody else is at.

    One order for each transaction: several would lock stock rows in the order in which holds
    happen to end, and buyers of two SKUs lock them in another.
    """
    order_id = await change.connection.fetchval(DUE)
    if order_id is None:
        return False
    return await move(change, order_id, source=Status.PENDING_PAYMENT, target=Status.EXPIRED)
