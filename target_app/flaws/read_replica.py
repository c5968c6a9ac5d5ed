"""Judge by the stock that the standby knows of, and take the units on the primary unseen.

The standby is behind by as long as the last commits take to get there; until then it shows units
that are gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import asyncpg

from target_app.acts import CheckOut
from target_app.database.primary import UNREACHABLE, Connection
from target_app.orders.checkout import CheckedOut, Checkout, check_out
from target_app.orders.transitions import Change
from target_app.reservations import Line

CONNECT_TIMEOUT_S = 0.5
AVAILABLE = "SELECT sku, available FROM inventory WHERE sku = ANY($1::text[])"
TAKE = """
UPDATE stock SET available = greatest(available - $2, 0), reserved = reserved + $2 WHERE sku = $1
"""


class StaleReads:
    """A connection on which each row about a SKU says "enough" as the standby would."""

    def __init__(self, connection: Connection, enough: Mapping[str, bool]) -> None:
        self._connection = connection
        self._enough = enough

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, query: str, *values: object) -> list[Mapping[str, Any]]:
        return [self._shown(row) for row in await self._connection.fetch(query, *values)]

    def _shown(self, row: asyncpg.Record) -> Mapping[str, Any]:
        shown = dict(row)
        if "enough" in shown:
            shown["enough"] = self._enough.get(shown["sku"], shown["enough"])
        return shown


def check_out_by(databases: Sequence[str]) -> CheckOut:
    async def check_out_stale(
        change: Change, wish: Checkout, *, key: str, hold_s: float
    ) -> CheckedOut:
        available = await _seen([line.sku for line in wish.lines], databases)
        wanted = [line for line in wish.lines if line.sku in available]
        enough = {line.sku: available[line.sku] >= line.qty for line in wanted}
        change.connection = cast(Connection, StaleReads(change.connection, enough))
        change.reservations = replace(change.reservations, reserve=_take)
        return await check_out(change, wish, key=key, hold_s=hold_s)

    return check_out_stale


async def _take(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        await connection.execute(TAKE, line.sku, line.qty)


async def _seen(skus: Sequence[str], databases: Sequence[str]) -> Mapping[str, int]:
    """Return what the first standby among `databases` has of `skus`; nothing where none answers."""
    for dsn in databases:
        try:
            connection = await asyncpg.connect(dsn, ssl=False, timeout=CONNECT_TIMEOUT_S)
        except UNREACHABLE:
            continue
        try:
            if await connection.fetchval("SELECT pg_is_in_recovery()"):
                rows = await connection.fetch(AVAILABLE, skus)
                return {row["sku"]: row["available"] for row in rows}
        except UNREACHABLE:
            continue
        finally:
            connection.terminate()
    return {}
