"""Starting a sale: everything that an earlier one left behind goes."""

from datetime import datetime
from typing import Annotated

import msgspec

from target_app.catalogue import CAMPAIGN
from target_app.database.primary import Connection

Instant = Annotated[datetime, msgspec.Meta(tz=True)]

EMPTY = """
TRUNCATE sale, products, stock, orders, order_lines, reservations, payments, order_events,
         idempotency_keys, webhook_events
"""
OPEN = "INSERT INTO sale (id, starts_at, ends_at) VALUES ($1, $2, $3)"
PRODUCTS = """
INSERT INTO products (sku, title, price)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
"""
STOCK = """
INSERT INTO stock (sku, initial, available)
SELECT sku, units, units FROM unnest($1::text[], $2::bigint[]) AS item (sku, units)
"""


class SaleItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item on sale; `price` in minor units."""

    sku: Annotated[str, msgspec.Meta(min_length=1)]
    stock: Annotated[int, msgspec.Meta(ge=0)]
    price: Annotated[int, msgspec.Meta(ge=0)]
    title: str | None = None


class SaleSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that starts a sale; without `ends_at` it stays open."""

    starts_at: Instant
    items: Annotated[tuple[SaleItem, ...], msgspec.Meta(min_length=1)]
    ends_at: Instant | None = None


async def start_sale(connection: Connection, setup: SaleSetup) -> None:
    skus = [item.sku for item in setup.items]
    await connection.execute(EMPTY)
    await connection.execute(OPEN, CAMPAIGN, setup.starts_at, setup.ends_at)
    titles = [item.title or item.sku for item in setup.items]
    await connection.execute(PRODUCTS, skus, titles, [item.price for item in setup.items])
    await connection.execute(STOCK, skus, [item.stock for item in setup.items])
