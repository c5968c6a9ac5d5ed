"""Take the SKUs of an order one by one, each in a transaction of its own, in no order.

Where a later one is sold out the earlier ones have been taken already, for an order that will
never be. An order of a single SKU does not show it.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from target_app.database.primary import Connection, Primary
from target_app.reservations import Line, Reservations

APPLICATION = "one-by-one"


def one_by_one(correct: Reservations, databases: Sequence[str]) -> Reservations:
    primary = Primary(databases, application=APPLICATION)

    async def reserve(_connection: Connection, lines: Sequence[Line]) -> None:
        other, _moved = await primary.connect(command_timeout_s=2.0)
        try:
            for line in random.sample(lines, len(lines)):
                await correct.reserve(other, [line])
        finally:
            await other.close()

    return replace(correct, reserve=reserve)
