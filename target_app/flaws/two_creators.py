"""Let both the reply and the webhook create the paid order, each when it does not find it paid.

Where the webhook is first, or the reply never comes, there are two.
"""

import secrets
from typing import TYPE_CHECKING

from target_app.payments.webhooks import CAPTURED, ProviderEvent, accept

if TYPE_CHECKING:
    from target_app.shop import Shop

CREATE = """
WITH source AS (
    SELECT * FROM orders
    WHERE order_id = $1 AND status IN ('pending_payment', 'payment_processing')
), created AS (
    INSERT INTO orders (order_id, client_ref, user_ref, channel, status, total, currency,
                        created_at, updated_at, expires_at, version)
    SELECT $2, client_ref, user_ref, channel, 'paid', total, currency,
           now(), now(), expires_at, 1 FROM source
), line AS (
    INSERT INTO order_lines (order_id, sku, qty, unit_price)
    SELECT $2, l.sku, l.qty, l.unit_price FROM order_lines l JOIN source USING (order_id)
    RETURNING sku, qty
)
UPDATE stock SET available = greatest(available - line.qty, 0), sold = sold + line.qty
FROM line WHERE stock.sku = line.sku
"""


async def accept_and_create(shop: "Shop", event: ProviderEvent) -> bool:
    if event.type == CAPTURED:
        async with shop.database.transaction() as connection:
            await connection.execute(CREATE, event.merchant_ref, f"o_{secrets.token_hex(10)}")
    return await accept(shop, event)
