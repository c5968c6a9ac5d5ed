"""Events from the provider: believed only when signed, and with effect only once."""

from typing import TYPE_CHECKING

import msgspec

from target_app.payments.findings import Captured
from target_app.payments.steps import Step

if TYPE_CHECKING:
    from target_app.shop import Shop

CAPTURED = "payment.succeeded"
REMEMBER = """
INSERT INTO webhook_events (event_id, order_id, deliveries, applied)
VALUES ($1, $2, 1, $4 OR EXISTS (
    SELECT FROM payments WHERE psp_key = $3 AND state IN ('captured', 'refunded')
))
ON CONFLICT (event_id) DO UPDATE SET deliveries = webhook_events.deliveries + 1
RETURNING deliveries, applied
"""
ASK_NOW = """
UPDATE payments SET next_query_at = now()
WHERE psp_key = $1 AND state IN ('created', 'processing', 'capturing', 'voiding')
"""
APPLIED = "UPDATE webhook_events SET applied = true WHERE event_id = $1"


class ProviderEvent(msgspec.Struct, frozen=True):
    """What the provider announces. Fields that we do not know are its own business."""

    id: str
    type: str
    intent_id: str
    merchant_ref: str
    psp_key: str
    amount: int


async def accept(shop: "Shop", event: ProviderEvent) -> bool:
    """Apply `event` unless its news is booked already; False if it was delivered before.

    Mostly the provider's reply was quicker, and then nothing but a note is written. An event about
    an order that is not here stays unapplied, for people to look at. Other news comes late and out
    of order too often to be acted upon: it only makes the reconciliation ask at once.
    """
    async with shop.database.connection() as connection:
        nothing_to_apply = event.type != CAPTURED
        known = await connection.fetchrow(
            REMEMBER, event.id, event.merchant_ref, event.psp_key, nothing_to_apply
        )
        if nothing_to_apply:
            await connection.execute(ASK_NOW, event.psp_key)
    assert known is not None
    shop.step(Step.EVENT_REMEMBERED)
    if not known["applied"]:
        await _apply(shop, event)
    return bool(known["deliveries"] == 1)


async def _apply(shop: "Shop", event: ProviderEvent) -> None:
    async with shop.change() as change:
        capture = Captured(event.intent_id, event.amount)
        status = await shop.acts.book_capture(
            change, order_id=event.merchant_ref, psp_key=event.psp_key, capture=capture
        )
        if status is not None:
            await change.connection.execute(APPLIED, event.id)
