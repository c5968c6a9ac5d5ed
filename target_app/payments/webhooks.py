"""Events from the provider: believed only when signed, and only once."""

import msgspec

from target_app.orders.transitions import Change
from target_app.payments.provider_client import Captured
from target_app.payments.settlement import book_capture

REMEMBER = """
INSERT INTO webhook_events (event_id, order_id, applied) VALUES ($1, $2, false)
ON CONFLICT DO NOTHING RETURNING 1
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


async def accept(change: Change, event: ProviderEvent) -> bool:
    """Apply `event`, unless it came before; False for such a duplicate.

    An event about an order that is not here is kept unapplied rather than dropped.
    """
    connection = change.connection
    if await connection.fetchval(REMEMBER, event.id, event.merchant_ref) is None:
        return False
    if event.type == "payment.succeeded":
        capture = Captured(event.intent_id, event.amount)
        status = await book_capture(
            change, order_id=event.merchant_ref, psp_key=event.psp_key, capture=capture
        )
        if status is not None:
            await connection.execute(APPLIED, event.id)
    return True
