"""The shop's books, as one stream of lines from one snapshot of the database."""

import datetime
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec

from target_app.database.primary import Connection
from target_app.instants import rfc3339

ROWS_AT_ONCE = 500

TABLES: dict[str, tuple[str, str]] = {
    "orders": (
        "order_id, client_ref, user_ref, status, total, currency, created_at, updated_at, version",
        "order_id",
    ),
    "order_lines": ("order_id, sku, qty, unit_price", "order_id, sku"),
    "stock": ("sku, initial, adjusted, available, reserved, sold", "sku"),
    "reservations": (
        "reservation_id, order_id, sku, qty, state, expires_at",
        "reservation_id",
    ),
    "payments": (
        "payment_id, order_id, psp_key, psp_ref, state, amount, created_at",
        "payment_id",
    ),
    "order_events": ("order_id, seq, from_status, to_status, at", "order_id, seq"),
}
"""Columns and order of each table in the export."""


async def export(connection: Connection) -> AsyncIterator[bytes]:
    """Yield the ledger as NDJSON; only a ledger with its `end` line is whole.

    Closes `connection` at the end, also when the reader goes away midway.
    """
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rows = 0
            for table, (columns, ordering) in TABLES.items():
                query = f"SELECT {columns} FROM {table} ORDER BY {ordering}"
                async for chunk, count in _chunks(connection, table, query):
                    rows += count
                    yield chunk
            yield msgspec.json.encode({"table": "end", "rows": rows}) + b"\n"
    finally:
        connection.terminate()


async def _chunks(
    connection: Connection, table: str, query: str
) -> AsyncIterator[tuple[bytes, int]]:
    cursor = await connection.cursor(query)
    while rows := await cursor.fetch(ROWS_AT_ONCE):
        yield b"".join(_line(table, row) for row in rows), len(rows)


def _line(table: str, row: asyncpg.Record) -> bytes:
    values: dict[str, Any] = {"table": table}
    for name, value in row.items():
        values[name] = rfc3339(value) if isinstance(value, datetime.datetime) else value
    return msgspec.json.encode(values) + b"\n"
