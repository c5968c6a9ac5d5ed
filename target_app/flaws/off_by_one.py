"""Sell while no more than there is has been sold: one unit too many, and only one.

The condition asks whether there was room before this order instead of after it. Nobody notices
below the last unit, and a check with a tolerance never does.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError

RESERVE = """
UPDATE stock SET available = greatest(available - $2, 0), reserved = reserved + $2
WHERE sku = $1 AND reserved + sold <= initial + adjusted
RETURNING available
"""


async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        if await connection.fetchval(RESERVE, line.sku, line.qty) is None:
            raise SoldOutError(line.sku)
