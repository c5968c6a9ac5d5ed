"""Reserve by one UPDATE that carries its own condition.

Under READ COMMITTED a second buyer waits for the row's lock and then has the condition evaluated
again on the new version, so the last unit cannot be sold twice.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError
from target_app.reservations.alerts import RAISED_BY_TAKING

RESERVE = f"""
WITH taken AS (
    UPDATE stock SET available = available - $2, reserved = reserved + $2
    WHERE sku = $1 AND available >= $2 RETURNING sku, available, low_stock_at
), {RAISED_BY_TAKING}
SELECT available FROM taken
"""
RETAKE = f"""
WITH taken AS (
    UPDATE stock SET available = available - $2, sold = sold + $2
    WHERE sku = $1 AND available >= $2 RETURNING sku, available, low_stock_at
), {RAISED_BY_TAKING}
SELECT available FROM taken
"""
CLAIM = "UPDATE stock SET reserved = reserved - $2, sold = sold + $2 WHERE sku = $1"
TAKE_BACK = "UPDATE stock SET sold = sold - $2, available = available + $2 WHERE sku = $1"
WRITE_OFF = "UPDATE stock SET sold = sold - $2, adjusted = adjusted - $2 WHERE sku = $1"
RELEASE = "UPDATE stock SET reserved = reserved - $2, available = available + $2 WHERE sku = $1"


async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
    await _take(connection, RESERVE, lines)


async def retake(connection: Connection, lines: Sequence[Line]) -> None:
    await _take(connection, RETAKE, lines)


async def claim(connection: Connection, lines: Sequence[Line]) -> None:
    await _move(connection, CLAIM, lines)


async def release(connection: Connection, lines: Sequence[Line]) -> None:
    await _move(connection, RELEASE, lines)


async def take_back(connection: Connection, lines: Sequence[Line]) -> None:
    await _move(connection, TAKE_BACK, lines)


async def write_off(connection: Connection, lines: Sequence[Line]) -> None:
    await _move(connection, WRITE_OFF, lines)


async def _take(connection: Connection, update: str, lines: Sequence[Line]) -> None:
    for line in lines:
        if await connection.fetchval(update, line.sku, line.qty) is None:
            raise SoldOutError(line.sku)


async def _move(connection: Connection, update: str, lines: Sequence[Line]) -> None:
    for line in lines:
        await connection.execute(update, line.sku, line.qty)
