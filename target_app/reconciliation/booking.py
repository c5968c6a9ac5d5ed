"""Booking money that the provider took and that nothing else has told us of.

An intent can be lost with a database node and a webhook on its way, while the charge stands. The
order gets what a late success is due: it is paid, or paid if its units are left, or paid back.
"""

from typing import TYPE_CHECKING

from target_app.payments.findings import Captured

if TYPE_CHECKING:
    from target_app.shop import Shop

AT_ONCE = 20

# A key whose money is booked is done, also where it took money twice: that is for people.
BOOKED = """
WITH booked AS (
    UPDATE provider_entries e SET next_try_at = NULL FROM payments p
    WHERE p.psp_key = e.psp_key AND p.state IN ('captured', 'refunded')
      AND e.next_try_at IS NOT NULL
    RETURNING e.event_id
)
UPDATE webhook_events w SET applied = true FROM booked
WHERE w.event_id = booked.event_id AND NOT w.applied
"""
# What has gone back already is no money to be booked.
DUE = """
UPDATE provider_entries SET tries = tries + 1,
    next_try_at = now() + power(2, least(tries, 6)) * interval '1 second'
WHERE ref IN (
    SELECT e.ref FROM provider_entries e WHERE e.next_try_at <= now()
    AND NOT EXISTS (SELECT FROM provider_entries r WHERE r.charge_ref = e.ref AND r.kind = 'refund')
    ORDER BY e.next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING ref, order_id, psp_key, amount
"""


async def book_missing(shop: "Shop") -> None:
    """Book what is due; the next try is set first, so that one that fails does not block others.

    Money without an order is tried again, ever more rarely: the order may yet be written.
    """
    async with shop.database.transaction() as connection:
        await connection.execute(BOOKED)
        rows = await connection.fetch(DUE, AT_ONCE)
    for row in rows:
        async with shop.change() as change:
            await shop.acts.book_capture(
                change,
                order_id=row["order_id"],
                psp_key=row["psp_key"],
                capture=Captured(row["ref"], row["amount"]),
            )
    if rows:
        async with shop.database.connection() as connection:
            await connection.execute(BOOKED)
