"""Commit the order first and let a job reserve its units a moment later.

In the meantime everybody who asks is told that the units are still there.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from target_app.flaws.check_apart import only_check
from target_app.orders.checkout import CheckedOut, Checkout, check_out
from target_app.orders.transitions import Change

if TYPE_CHECKING:
    from target_app.shop import Shop

QUEUE = """
UPDATE reservations SET state = 'queued' WHERE order_id = $1 AND state = 'active'
"""
RESERVE = """
WITH next AS (
    UPDATE reservations SET state = 'active' WHERE reservation_id IN (
        SELECT reservation_id FROM reservations WHERE state = 'queued' LIMIT 500
        FOR UPDATE SKIP LOCKED)
    RETURNING sku, qty
), wanted AS (
    SELECT sku, sum(qty)::bigint AS qty FROM next GROUP BY sku
)
UPDATE stock SET available = greatest(available - wanted.qty, 0), reserved = reserved + wanted.qty
FROM wanted WHERE stock.sku = wanted.sku
"""
NEWEST = "SELECT order_id FROM orders WHERE client_ref = $1 ORDER BY created_at DESC LIMIT 1"


async def check_out_unreserved(
    change: Change, wish: Checkout, *, key: str, hold_s: float
) -> CheckedOut:
    reservations = change.reservations
    change.reservations = replace(reservations, reserve=only_check)
    done = await check_out(change, wish, key=key, hold_s=hold_s)
    change.reservations = reservations
    order_id = await change.connection.fetchval(NEWEST, wish.client_ref)
    await change.connection.execute(QUEUE, order_id)
    return done


async def reserve_queued(shop: "Shop") -> None:
    async with shop.database.transaction() as connection:
        await connection.execute(RESERVE)
