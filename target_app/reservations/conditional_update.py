"""Reserve by one UPDATE that carries its own condition.

Under READ COMMITTED a second buyer waits for the row's lock and then has the condition evaluated
again on the new version, so the last unit cannot be sold twice.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError

RESERVE = """
UPDATE stock SET available = available - $2, reserved = reserved + $2
WHERE sku = $1 AND available >= $2
RETURNING available
"""
RETAKE = """
UPDATE stock SET available = available - $2, sold = sold + $2
WHERE sku = $1 AND available >= $2
RETURNING available
"""
CLAIM = "UPDATE stock SET reserved = reserved - $2, sold = sold + $2 WHERE sku = $1"
RELEASE = "UPDATE stock SET reserved = reserved - $2, available = available + $2 WHERE sku = $1"


async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
    await _take(connection, RESERVE, lines)


async def retake(connection: Connection, lines: Sequence[Line]) -> None:
    await _take(connection, RETAKE, lines)


async def claim(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        await connection.execute(CLAIM, line.sku, line.qty)


async def release(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        await connection.execute(RELEASE, line.sku, line.qty)


async def _take(connection: Connection, update: str, lines: Sequence[Line]) -> None:
    for line in lines:
        if await connection.fetchval(update, line.sku, line.qty) is None:
            raise SoldOutError(line.sku)
