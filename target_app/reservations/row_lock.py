"""Lock the stock rows of an order first, then decide in the application.

All rows at once and in the order of their SKUs, so that two orders cannot each hold what the
other waits for. What is read is the row's newest version: it is read by locking it.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError
from target_app.reservations.alerts import RAISED_BY_TAKING

LOCK = "SELECT sku, available FROM stock WHERE sku = ANY($1) ORDER BY sku FOR UPDATE"
RESERVE = f"""
WITH taken AS (
    UPDATE stock s SET available = line.available, reserved = reserved + line.qty
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS line (sku, available, qty)
    WHERE s.sku = line.sku RETURNING s.sku, s.available, s.low_stock_at
), {RAISED_BY_TAKING}
SELECT count(*) FROM taken
"""
RETAKE = RESERVE.replace("reserved = reserved + line.qty", "sold = sold + line.qty")


async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
    await _take(connection, RESERVE, lines)


async def retake(connection: Connection, lines: Sequence[Line]) -> None:
    await _take(connection, RETAKE, lines)


async def _take(connection: Connection, update: str, lines: Sequence[Line]) -> None:
    skus = [line.sku for line in lines]
    available = {row["sku"]: row["available"] for row in await connection.fetch(LOCK, skus)}
    for line in lines:
        if available.get(line.sku, 0) < line.qty:
            raise SoldOutError(line.sku)
    left = [available[line.sku] - line.qty for line in lines]
    await connection.execute(update, skus, left, [line.qty for line in lines])
