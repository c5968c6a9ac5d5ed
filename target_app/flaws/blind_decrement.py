"""Check first, then decrement blindly, on a table that would let the counter go below zero.

The decrement itself loses nothing; the check before it is of another moment.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError

AVAILABLE = "SELECT available FROM stock WHERE sku = $1"
DECREMENT = "UPDATE stock SET available = available - $2, reserved = reserved + $2 WHERE sku = $1"
UNGUARDED = "ALTER TABLE stock DROP CONSTRAINT IF EXISTS stock_available_check"


async def prepare(connection: Connection) -> None:
    await connection.execute(UNGUARDED)


async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        if await connection.fetchval(AVAILABLE, line.sku) < line.qty:
            raise SoldOutError(line.sku)
        await connection.execute(DECREMENT, line.sku, line.qty)
