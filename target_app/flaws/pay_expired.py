"""Call an order paid whenever its money comes, also when its units went back on sale long ago."""

from target_app.orders.states import Status
from target_app.orders.transitions import Change
from target_app.payments.findings import Captured
from target_app.payments.settlement import book_capture

LAPSED = """
SELECT status FROM orders
WHERE order_id = $1 AND status IN ('expired', 'cancelled') FOR UPDATE
"""
REVIVE = """
WITH moved AS (
    UPDATE orders SET status = 'paid', version = version + 1, updated_at = now()
    WHERE order_id = $1 RETURNING version
)
INSERT INTO order_events (order_id, seq, from_status, to_status, at)
SELECT $1, version, $2, 'paid', now() FROM moved
"""
CAPTURED = """
UPDATE payments SET state = 'captured', psp_ref = $2, amount = $3 WHERE psp_key = $1
"""


async def book_any(
    change: Change, *, order_id: str, psp_key: str, capture: Captured
) -> Status | None:
    lapsed = await change.connection.fetchval(LAPSED, order_id)
    if lapsed is None:
        return await book_capture(change, order_id=order_id, psp_key=psp_key, capture=capture)
    await change.connection.execute(REVIVE, order_id, lapsed)
    await change.connection.execute(CAPTURED, psp_key, capture.psp_ref, capture.amount)
    return Status.PAID
