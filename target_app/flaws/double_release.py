"""Clean up old holds and free their units, without asking whether they were freed before.

Cancelling and the sweeper have each given the units back; when the hold's time comes its row is
removed, and they are given back once more. The shop then sells more than it ever had.
"""

from typing import TYPE_CHECKING

from target_app.jobs import Jobs

if TYPE_CHECKING:
    from target_app.shop import Shop

CLEAN_UP = """
WITH old AS (
    DELETE FROM reservations WHERE state IN ('expired', 'released') AND expires_at <= now()
    RETURNING sku, qty
), freed AS (
    SELECT sku, sum(qty)::bigint AS qty FROM old GROUP BY sku
)
UPDATE stock SET available = available + freed.qty FROM freed WHERE stock.sku = freed.sku
"""


async def clean_up(shop: "Shop") -> None:
    async with shop.change() as change:
        await change.connection.execute(CLEAN_UP)


def cleaning_up(jobs: Jobs) -> Jobs:
    return (*jobs, (clean_up, 0.5))
