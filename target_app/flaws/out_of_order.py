"""Take the SKUs of an order in no order, all in its one transaction.

Two buyers of the same two SKUs can each have one of them and wait for the other. The database ends
one of the two after its `deadlock_timeout`, and everybody who wants either SKU waits that long. No
unit is lost by it, so only errors and latencies tell.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from target_app.database.primary import Connection
from target_app.reservations import Line, Reservations


def out_of_order(correct: Reservations) -> Reservations:
    async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
        await correct.reserve(connection, random.sample(lines, len(lines)))

    return replace(correct, reserve=reserve)
