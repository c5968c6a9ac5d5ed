"""Take whatever units nobody has locked, and call it sold out when those are too few.

Units that somebody has locked may be free again in a moment. Whoever comes in that moment is sent
away for good.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError
from target_app.reservations.unit_rows import TooFewError, look


async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        try:
            await look(connection, line, source="free", target="held")
        except TooFewError as error:
            raise SoldOutError(line.sku) from error
