"""What an order used up besides stock, its buyer's allowance and coupons, when its hold ends.

The rows of an allowance or a coupon are locked before those of the stock, here as in checkout.
"""

from target_app.database.primary import Connection

GIVE_BACK = """
WITH coupon AS (
    UPDATE coupon_uses SET state = 'returned' WHERE order_id = $1 AND state = 'used'
    RETURNING code, user_ref
), allowance AS (
    UPDATE allowance_uses SET state = 'returned' WHERE order_id = $1 AND state = 'taken'
    RETURNING sku, user_ref, qty
), returned AS (
    UPDATE coupon_claims c SET used = c.used - 1 FROM coupon
    WHERE c.code = coupon.code AND c.user_ref = coupon.user_ref
)
UPDATE allowances a SET taken = a.taken - allowance.qty FROM allowance
WHERE a.sku = allowance.sku AND a.user_ref = allowance.user_ref
"""
TAKE_AGAIN = """
WITH coupon AS (
    UPDATE coupon_uses SET state = 'used' WHERE order_id = $1 AND state = 'returned'
    RETURNING code, user_ref
), allowance AS (
    UPDATE allowance_uses SET state = 'taken' WHERE order_id = $1 AND state = 'returned'
    RETURNING sku, user_ref, qty, allowed
), used AS (
    UPDATE coupon_claims c SET used = c.used + 1 FROM coupon
    WHERE c.code = coupon.code AND c.user_ref = coupon.user_ref AND c.used < c.claimed RETURNING 1
), taken AS (
    UPDATE allowances a SET taken = a.taken + allowance.qty FROM allowance
    WHERE a.sku = allowance.sku AND a.user_ref = allowance.user_ref
      AND a.taken + allowance.qty <= allowance.allowed
    RETURNING 1
)
SELECT (SELECT count(*) FROM coupon) = (SELECT count(*) FROM used)
   AND (SELECT count(*) FROM allowance) = (SELECT count(*) FROM taken)
"""


async def give_back(connection: Connection, order_id: str) -> None:
    await connection.execute(GIVE_BACK, order_id)


async def take_again(connection: Connection, order_id: str) -> bool:
    """Take what an ended order had given back, for money that came late; roll back on False."""
    return bool(await connection.fetchval(TAKE_AGAIN, order_id))
