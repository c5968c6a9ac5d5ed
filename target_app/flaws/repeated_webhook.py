"""Act on every webhook as if it were the first: the units of one order are sold twice.

The provider announces each capture, mostly after its reply has been booked, and some twice.
"""

from typing import TYPE_CHECKING

from target_app.payments.webhooks import ProviderEvent

if TYPE_CHECKING:
    from target_app.shop import Shop

SELL = """
UPDATE stock SET sold = sold + line.qty
FROM order_lines line WHERE line.order_id = $1 AND stock.sku = line.sku
"""
PAY = "UPDATE orders SET status = 'paid', version = version + 1 WHERE order_id = $1"
CAPTURED = "UPDATE payments SET state = 'captured', psp_ref = $2 WHERE psp_key = $1"


async def accept_every(shop: "Shop", event: ProviderEvent) -> bool:
    if event.type == "payment.succeeded":
        async with shop.database.transaction() as connection:
            await connection.execute(PAY, event.merchant_ref)
            await connection.execute(CAPTURED, event.psp_key, event.intent_id)
            await connection.execute(SELL, event.merchant_ref)
    return True
