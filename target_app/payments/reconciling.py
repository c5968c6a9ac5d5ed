"""Finding out, later: charges without an answer, captures half done, authorisations to void.

Never by guessing. The provider is asked what it knows; if it has never heard of the charge, the
same charge is sent again under the same key, because the first one may still be on its way and
only the key keeps it from counting twice. Once the hold has lapsed nothing is sent again: the
charge is closed at the provider, and units are freed on its word alone.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_app.payments.capturing import captured
from target_app.payments.findings import Authorized, Charge, Finding, NeverSeen, Spared, Unknown
from target_app.payments.refunding import give_back

if TYPE_CHECKING:
    from target_app.shop import Shop

__all__ = ["give_back", "resolve_charges", "void_lapsed"]

AT_ONCE = 20

DUE = """
UPDATE payments p SET queries = queries + 1,
    next_query_at = now() + power(2, least(queries, 2)) * interval '1 second'
FROM orders o
WHERE p.order_id = o.order_id AND p.payment_id IN (
    SELECT payment_id FROM payments
    WHERE state IN ('created', 'processing', 'capturing', 'voiding') AND next_query_at <= now()
    ORDER BY next_query_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING p.order_id, p.psp_key, p.psp_ref, p.state, p.amount, o.currency, p.method,
          p.capture_method, o.expires_at <= now() AS lapsed,
          extract(epoch FROM now() - p.created_at)::float8 AS age_s
"""
VOID_LAPSED = """
WITH due AS (
    SELECT order_id FROM orders WHERE status = 'authorized' AND expires_at <= now()
    ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE payments p SET state = 'voiding', next_query_at = now() FROM due
WHERE p.order_id = due.order_id AND p.state = 'authorized'
"""


@dataclass(frozen=True)
class Open:
    """A charge that is not settled, how it stands, for how long, and whether its hold has ended."""

    charge: Charge
    psp_ref: str | None
    state: str
    lapsed: bool
    age_s: float


async def resolve_charges(shop: "Shop") -> None:
    """Ask about the charges that are due; the next time is set first, so replicas take turns."""
    async with shop.database.connection() as connection:
        rows = await connection.fetch(DUE, AT_ONCE)
    due = [
        Open(
            charge=Charge(
                row["order_id"],
                row["psp_key"],
                row["amount"],
                row["currency"],
                row["method"],
                row["capture_method"],
            ),
            psp_ref=row["psp_ref"],
            state=row["state"],
            lapsed=row["lapsed"],
            age_s=row["age_s"],
        )
        for row in rows
    ]
    await asyncio.gather(*(_resolve(shop, each) for each in due))


async def void_lapsed(shop: "Shop") -> None:
    """Let go of money that was set aside for orders whose hold has ended without a capture."""
    async with shop.database.connection() as connection:
        await connection.execute(VOID_LAPSED, AT_ONCE)


async def _resolve(shop: "Shop", due: Open) -> None:
    charge = due.charge
    finding = await shop.provider.find(order_id=charge.order_id, psp_key=charge.psp_key)
    given_up = due.age_s > shop.settings.provider_timeout_s + 1.0
    match finding, due.state:
        case Authorized(psp_ref=psp_ref), "capturing":
            finding = await captured(shop, charge, psp_ref=psp_ref)
        case Authorized(), "voiding":
            finding = await _closed(shop, charge, finding)
        case NeverSeen() | Authorized() | Unknown(), "processing" if due.lapsed and given_up:
            finding = await _closed(shop, charge, finding)
        case NeverSeen(), _ if given_up:
            finding = await shop.acts.charge(shop.provider, charge)
            if not isinstance(finding, Spared):
                shop.metrics.provider_retries.inc()
    await shop.book(charge, finding)


async def _closed(shop: "Shop", charge: Charge, finding: Finding) -> Finding:
    """Close a charge at the provider, then ask again: between the two it may have been taken.

    A key that we took earlier and did not get to cancel is taken again: that is the same request.
    """
    if isinstance(finding, Authorized):
        psp_ref: str | None = finding.psp_ref
    else:
        psp_ref = await shop.provider.forestall(charge)
    if psp_ref is None:
        return finding
    await shop.provider.cancel(psp_ref=psp_ref, psp_key=charge.psp_key)
    return await shop.provider.find(order_id=charge.order_id, psp_key=charge.psp_key)
