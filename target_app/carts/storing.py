"""Carts in the database: changed by compare-and-set, so that two tabs do not undo each other."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from target_app.database.primary import Connection
from target_app.pricing.quote import CartLine
from target_app.problems import ProblemError

Lines = Annotated[tuple[CartLine, ...], msgspec.Meta(max_length=20)]

READ = "SELECT version, lines FROM carts WHERE cart_id = $1"
PUT = """
INSERT INTO carts (cart_id, version, lines) SELECT $1, 1, $2 WHERE $3::bigint IS NULL OR $3 = 0
ON CONFLICT (cart_id) DO UPDATE
SET version = carts.version + 1, lines = excluded.lines, updated_at = now()
WHERE $3 IS NULL OR carts.version = $3
RETURNING version
"""
CHANGE = """
UPDATE carts SET version = version + 1, lines = $2, updated_at = now()
WHERE cart_id = $1 AND ($3::bigint IS NULL OR version = $3)
RETURNING version
"""


class StoredCart(msgspec.Struct, frozen=True):
    """A cart as it stands; `version` goes up with every change."""

    cart_id: str
    version: int
    lines: tuple[CartLine, ...]


async def cart(connection: Connection, cart_id: str) -> StoredCart:
    row = await connection.fetchrow(READ, cart_id)
    if row is None:
        raise ProblemError(404, "unknown_cart")
    lines = msgspec.json.decode(row["lines"], type=tuple[CartLine, ...])
    return StoredCart(cart_id, row["version"], lines)


async def put_lines(
    connection: Connection, cart_id: str, lines: Sequence[CartLine], *, seen: int | None
) -> StoredCart:
    """Replace the lines of a cart, creating it if there is none.

    Args:
        connection: To the database.
        cart_id: Chosen by whoever shops.
        lines: At most one for each SKU.
        seen: The version that the change is meant for, 0 for none yet; None for whatever it is.

    Raises:
        ProblemError: The cart is of another version by now.
    """
    written = msgspec.json.encode(tuple(lines)).decode()
    statement = CHANGE if seen else PUT
    version = await connection.fetchval(statement, cart_id, written, seen)
    if version is None:
        now = await cart(connection, cart_id)
        raise ProblemError(409, "cart_changed", details={"version": now.version})
    return StoredCart(cart_id, version, tuple(lines))


async def emptied(connection: Connection, cart_id: str, *, seen: int | None) -> StoredCart:
    now = await cart(connection, cart_id)
    return await put_lines(connection, cart_id, (), seen=now.version if seen is None else seen)
