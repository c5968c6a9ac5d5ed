"""The low-stock alert: one row for each SKU, by whoever first finds it at its line or below.

A strategy that has the stock row locked raises it in the statement that takes the units. One
without a shared row cannot: two buyers may cross the line together and neither see it, so its
upkeep looks once more.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line

RAISED_BY_TAKING = """
alerted AS (
    INSERT INTO alerts (sku, at, available)
    SELECT sku, now(), available FROM taken WHERE available <= low_stock_at
    ON CONFLICT DO NOTHING
)
"""
"""Part of a statement whose `taken` returns the stock row as it is once the units are taken."""

RAISE = """
INSERT INTO alerts (sku, at, available)
SELECT sku, now(), available FROM inventory
WHERE sku = ANY($1) AND low_stock_at IS NOT NULL AND available <= low_stock_at
  AND sku NOT IN (SELECT sku FROM alerts)
ORDER BY sku ON CONFLICT DO NOTHING
"""
RAISE_OVERLOOKED = """
INSERT INTO alerts (sku, at, available)
SELECT sku, now(), available FROM inventory
WHERE low_stock_at IS NOT NULL AND available <= low_stock_at AND available < initial + adjusted
  AND sku NOT IN (SELECT sku FROM alerts)
ORDER BY sku ON CONFLICT DO NOTHING
"""


async def raise_alerts(connection: Connection, lines: Sequence[Line]) -> None:
    await connection.execute(RAISE, [line.sku for line in lines])


async def raise_overlooked(connection: Connection) -> None:
    await connection.execute(RAISE_OVERLOOKED)
