"""Read the stock, decide in the application, write the result back.

Two buyers who read the same number both find it large enough, and the second write undoes the
first. The counter never goes below zero, so it looks fine; only the orders tell.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError


async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        available = await connection.fetchval(
            "SELECT available FROM stock WHERE sku = $1", line.sku
        )
        if available < line.qty:
            raise SoldOutError(line.sku)
        await connection.execute(
            "UPDATE stock SET available = $2, reserved = reserved + $3 WHERE sku = $1",
            line.sku,
            available - line.qty,
            line.qty,
        )
