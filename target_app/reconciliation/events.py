"""Reading the provider's events, all of them: those that never arrived are the ones that matter.

What they tell is kept beside our own books, booked where it is missing, and compared.
"""

from typing import TYPE_CHECKING

from target_app.payments.provider_lists import ListedEvent, ListedEvents
from target_app.payments.webhooks import CAPTURED
from target_app.reconciliation.booking import book_missing
from target_app.reconciliation.holding import hold_mismatched
from target_app.reconciliation.mismatches import meet_orders

if TYPE_CHECKING:
    from target_app.shop import Shop

PAUSE_S = 5.0
COMPARE_EVERY_S = 30.0
"""Comparing goes through all orders, 5 ms for each thousand: worth it only now and then."""

PAGE = 500
PAGES_AT_ONCE = 4
REFUNDED = "payment.refunded"

TURN = """
UPDATE provider_readings SET next_at = now() + $1 * interval '1 second'
WHERE name = 'events' AND next_at <= now()
RETURNING after, coalesce(read_at <= now() - $2 * interval '1 second', true) AS stale
"""
# The reply and the webhook come first; who is slower than that is asked to.
KEEP = """
INSERT INTO provider_entries (ref, kind, charge_ref, event_id, order_id, psp_key, amount, at,
                              next_try_at)
SELECT told.*, CASE told.kind WHEN 'charge' THEN now() + interval '3 seconds' END
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
            $8::timestamptz[])
     AS told (ref, kind, charge_ref, event_id, order_id, psp_key, amount, at)
WHERE told.at >= (SELECT since FROM provider_readings WHERE name = 'events')
ON CONFLICT DO NOTHING
"""
# Another replica may have read further in the meantime; then it stays where that one got to.
MARK = """
UPDATE provider_readings SET after = $2
WHERE name = 'events' AND after IS NOT DISTINCT FROM $1 RETURNING name
"""
READ = "UPDATE provider_readings SET read_at = now() WHERE name = 'events'"


async def meet_events(shop: "Shop") -> None:
    """Read on, book what is missing, and compare.

    The next time is set first, so replicas take turns. Nothing is compared before everything is
    read: what has not been read yet is not missing.
    """
    async with shop.database.connection() as connection:
        turn = await connection.fetchrow(TURN, PAUSE_S, COMPARE_EVERY_S)
    if turn is None:
        return
    whole = await _read_on(shop, after=turn["after"])
    await book_missing(shop)
    if whole and turn["stale"]:
        async with shop.database.transaction() as connection:
            await meet_orders(connection)
            await connection.execute(READ)
        await hold_mismatched(shop)


async def _read_on(shop: "Shop", *, after: str | None) -> bool:
    """Keep what the next pages tell of money; True once there is no more."""
    for _ in range(PAGES_AT_ONCE):
        page = await shop.provider.events(after=after, limit=PAGE)
        if not isinstance(page, ListedEvents):
            return False
        if page.events:
            last = page.events[-1].id
            if not await _kept(shop, page.events, after=after):
                return False
            after = last
        if len(page.events) < PAGE:
            return True
    return False


async def _kept(shop: "Shop", events: list[ListedEvent], *, after: str | None) -> bool:
    rows = [_entry(event) for event in events if event.type in {CAPTURED, REFUNDED}]
    async with shop.database.transaction() as connection:
        if rows:
            await connection.execute(KEEP, *map(list, zip(*rows, strict=True)))
        return await connection.fetchval(MARK, after, events[-1].id) is not None


def _entry(event: ListedEvent) -> tuple[object, ...]:
    kind, ref = "charge", event.intent_id
    if event.type == REFUNDED:
        kind, ref = "refund", event.refund_id or event.id
    order = (event.merchant_ref, event.psp_key)
    return ref, kind, event.intent_id, event.id, *order, event.amount, event.created_at
