"""Finding out, later: charges without an answer, and money to give back.

Never by guessing. The provider is asked what it knows; if it has never heard of the charge, the
same charge is sent again under the same key, because the first one may still be on its way and
only the key keeps it from counting twice.
"""

import asyncio
from dataclasses import dataclass

from target_app.payments.provider_client import Charge, NeverSeen
from target_app.payments.settlement import book_refund
from target_app.shop import Shop

AT_ONCE = 20

DUE = """
UPDATE payments p SET queries = queries + 1,
    next_query_at = now() + least(power(2, queries), 4) * interval '1 second'
FROM orders o
WHERE p.order_id = o.order_id AND p.payment_id IN (
    SELECT payment_id FROM payments
    WHERE state IN ('created', 'processing') AND next_query_at <= now()
    ORDER BY next_query_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING p.order_id, p.psp_key, p.amount, o.currency, p.method,
          extract(epoch FROM now() - p.created_at)::float8 AS age_s
"""
REFUNDS_DUE = """
UPDATE payments SET queries = queries + 1,
    next_query_at = now() + least(power(2, queries), 4) * interval '1 second'
WHERE payment_id IN (
    SELECT payment_id FROM payments
    WHERE refund_due AND state = 'captured' AND next_query_at <= now()
    ORDER BY next_query_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING psp_ref, psp_key, amount
"""


@dataclass(frozen=True)
class Open:
    """A charge without an answer, and for how long."""

    charge: Charge
    age_s: float


async def resolve_charges(shop: Shop) -> None:
    """Ask about the charges that are due; the next time is set first, so replicas take turns."""
    async with shop.database.connection() as connection:
        rows = await connection.fetch(DUE, AT_ONCE)
    due = [
        Open(
            Charge(row["order_id"], row["psp_key"], row["amount"], row["currency"], row["method"]),
            row["age_s"],
        )
        for row in rows
    ]
    await asyncio.gather(*(_resolve(shop, each) for each in due))


async def _resolve(shop: Shop, due: Open) -> None:
    charge = due.charge
    finding = await shop.provider.find(order_id=charge.order_id, psp_key=charge.psp_key)
    given_up = due.age_s > shop.settings.provider_timeout_s + 1.0
    if isinstance(finding, NeverSeen) and given_up:
        shop.metrics.provider_retries.inc()
        finding = await shop.provider.charge(charge)
    await shop.book(charge, finding)


async def give_back(shop: Shop) -> None:
    """Refund what was captured and could not be honoured."""
    async with shop.database.connection() as connection:
        rows = await connection.fetch(REFUNDS_DUE, AT_ONCE)
    for row in rows:
        if await shop.provider.refund(
            psp_ref=row["psp_ref"], psp_key=row["psp_key"], amount=row["amount"]
        ):
            async with shop.change() as change:
                await book_refund(change, psp_key=row["psp_key"])
