"""Write an order only when its buyer comes back from the provider.

While they pay it is a draft of this process. A buyer whose connection breaks never comes back:
they have been charged, and the shop has never heard of their order.
"""

from typing import TYPE_CHECKING

import asyncpg

from target_app.orders.states import Status
from target_app.payments.findings import Charge, Declined, Unknown
from target_app.payments.flow import pay
from target_app.payments.paying import Payment, PaymentAnswer, paid, processing
from target_app.problems import ProblemError

if TYPE_CHECKING:
    from target_app.shop import Shop

COLUMNS = (
    "order_id, client_ref, user_ref, channel, status, total, currency, "
    "created_at, updated_at, expires_at, version"
)
TAKE_OUT = f"""
DELETE FROM orders WHERE order_id = $1 AND status = 'pending_payment' AND expires_at > now()
AND total > 0 RETURNING {COLUMNS}
"""
WRITE = f"""
INSERT INTO orders ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


async def pay_then_write(
    shop: "Shop", payment: Payment, *, order_id: str, key: str
) -> PaymentAnswer:
    async with shop.database.connection() as connection:
        draft = await connection.fetchrow(TAKE_OUT, order_id)
    if draft is None:
        return await pay(shop, payment, order_id=order_id, key=key)
    return await _paid(shop, payment, draft=draft, key=key)


async def _paid(
    shop: "Shop", payment: Payment, *, draft: asyncpg.Record, key: str
) -> PaymentAnswer:
    order_id, total = draft["order_id"], draft["total"]
    charge = Charge(order_id, f"{order_id}:{key}", total, draft["currency"], payment.method)
    finding = await shop.acts.charge(shop.provider, charge)
    if isinstance(finding, Unknown):
        return processing(order_id)
    async with shop.database.connection() as connection:
        await connection.execute(WRITE, *draft.values())
    if isinstance(finding, Declined):
        raise ProblemError(402, "card_declined")
    status = await shop.book(charge, finding)
    return paid(order_id, total) if status is Status.PAID else processing(order_id)
