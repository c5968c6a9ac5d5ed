"""Clean up old holds and free their units, without asking whether they were freed before.

Cancelling and the sweeper have each given the units back; when the hold's time comes its row is
removed, and they are given back once more. The shop then sells more than it ever had.
"""

from target_app.orders.holds import expire_one
from target_app.orders.transitions import Change

CLEAN_UP = """
WITH old AS (
    DELETE FROM reservations WHERE state IN ('expired', 'released') AND expires_at <= now()
    RETURNING sku, qty
), freed AS (
    SELECT sku, sum(qty)::bigint AS qty FROM old GROUP BY sku
)
UPDATE stock SET available = available + freed.qty FROM freed WHERE stock.sku = freed.sku
"""


async def expire_and_clean_up(change: Change) -> bool:
    expired = await expire_one(change)
    if not expired:
        await change.connection.execute(CLEAN_UP)
    return expired
