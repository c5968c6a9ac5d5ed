"""Check the stock when the order is made, take it when it is paid.

Everybody who orders before the first one pays finds the last unit there.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError

AVAILABLE = "SELECT available FROM inventory WHERE sku = $1"
TAKE = """
UPDATE stock SET available = greatest(available - $2, 0), sold = sold + $2 WHERE sku = $1
"""


async def only_check(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        if await connection.fetchval(AVAILABLE, line.sku) < line.qty:
            raise SoldOutError(line.sku)


async def take(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        await connection.execute(TAKE, line.sku, line.qty)


async def keep(_connection: Connection, _lines: Sequence[Line]) -> None:
    """Give nothing back, since nothing was taken."""
