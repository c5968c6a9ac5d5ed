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
    "order_refunds": (
        "refund_id, order_id, psp_key, amount, restock, state, created_at",
        "refund_id",
    ),
    "order_events": ("order_id, seq, from_status, to_status, at", "order_id, seq"),
    "alerts": ("sku, at, available", "sku"),
    "sales": ("id, starts_at, ends_at, promotion_version", "id"),
    "offers": ("sku, price, list_price, limit_per_user", "sku"),
    "promotions": ("version, promotion_id, kind, rule", "version, promotion_id"),
    "coupons": ("code, rule, usage_limit, per_user_limit, claimed", "code"),
    "coupon_claims": ("code, user_ref, claimed, used, claimed_at", "code, user_ref"),
    "coupon_uses": ("order_id, code, user_ref, state", "order_id, code"),
    "order_pricing": (
        "order_id, quote_id, promotion_version, tier, coupons, subtotal, priced_at",
        "order_id",
    ),
    "order_discounts": ("order_id, rule, sku, step, amount", "order_id, rule, sku"),
}
"""Columns and order of each table in the export."""

RELATIONS = {
    "stock": "inventory",
    "order_refunds": "refunds",
    "sales": "sale",
    "offers": "(SELECT sku, price, coalesce(list_price, price) AS list_price, limit_per_user "
    "FROM products) AS offered",
}
"""Where a table of the export is something else in the database."""


async def export(connection: Connection) -> AsyncIterator[bytes]:
    """Yield the ledger as NDJSON; only a ledger with its `end` line is whole.

    Closes `connection` at the end, also when the reader goes away midway.
    """
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rows = 0
            for table, (columns, ordering) in TABLES.items():
                relation = RELATIONS.get(table, table)
                query = f"SELECT {columns} FROM {relation} ORDER BY {ordering}"
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
