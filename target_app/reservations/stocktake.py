"""Stocktake: what every count of the same units says, and where two of them differ.

Nothing is put right here. A difference is for people to look at: whatever mended it silently
would hide how it came about.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import msgspec

from target_app.database.primary import Connection
from target_app.instants import rfc3339
from target_app.orders.states import HOLDING, OWING
from target_app.redis.client import Failed
from target_app.reservations import Reservations

# One statement, so that all counts in the database are of one moment. A review leaves an order's
# units where they were, so its holds tell where that is.
COUNTS = """
SELECT now() AS at, i.sku, i.initial, i.adjusted, i.available, i.reserved, i.sold,
       s.available AS row_available, s.reserved AS row_reserved, s.sold AS row_sold,
       coalesce(o.held, 0) AS orders_reserved, coalesce(o.sold, 0) AS orders_sold,
       coalesce(r.active, 0) AS holds_active, coalesce(r.claimed, 0) AS holds_claimed
FROM inventory i JOIN stock s USING (sku)
LEFT JOIN (
    SELECT l.sku,
           (sum(l.qty) FILTER (WHERE o.status = ANY($1) OR in_review.state = 'active'))::bigint
           AS held,
           (sum(l.qty) FILTER (WHERE o.status = ANY($2) OR in_review.state = 'claimed'))::bigint
           AS sold
    FROM order_lines l JOIN orders o USING (order_id)
    LEFT JOIN LATERAL (
        SELECT state FROM reservations r
        WHERE r.order_id = o.order_id AND r.sku = l.sku AND o.status = 'review' LIMIT 1
    ) in_review ON true
    GROUP BY l.sku
) o USING (sku)
LEFT JOIN (
    SELECT sku, (sum(qty) FILTER (WHERE state = 'active'))::bigint AS active,
           (sum(qty) FILTER (WHERE state = 'claimed'))::bigint AS claimed
    FROM reservations GROUP BY sku
) r USING (sku)
ORDER BY i.sku
"""


class Difference(msgspec.Struct, frozen=True):
    """Two counts that should be equal; `counter` is what shoppers and operators are shown."""

    of: str
    counter: int
    against: str
    count: int


async def stocktake(connection: Connection, reservations: Reservations) -> dict[str, Any]:
    rows = await connection.fetch(COUNTS, list(HOLDING), list(OWING))
    cached = await reservations.cached([row["sku"] for row in rows])
    lines = [_line(row, {} if isinstance(cached, Failed) else cached) for row in rows]
    return {
        "taken_at": rfc3339(rows[0]["at"]) if rows else None,
        "skus": lines,
        "differences": sum(len(line["differences"]) for line in lines),
        "unread": {"redis": cached.why} if isinstance(cached, Failed) else {},
    }


def _line(row: asyncpg.Record, cached: Mapping[str, int]) -> dict[str, Any]:
    in_redis = cached.get(row["sku"])
    states = ("available", "reserved", "sold")
    return {
        "sku": row["sku"],
        "initial": row["initial"],
        "adjusted": row["adjusted"],
        "counter": {state: row[state] for state in states},
        "orders": {"reserved": row["orders_reserved"], "sold": row["orders_sold"]},
        "reservations": {"active": row["holds_active"], "claimed": row["holds_claimed"]},
        "strategy_rows": {state: row[state] - row[f"row_{state}"] for state in states},
        "redis": None if in_redis is None else {"available": in_redis},
        "differences": list(differences(dict(row), in_redis)),
    }


def differences(row: Mapping[str, Any], in_redis: int | None) -> Iterator[Difference]:
    """Yield where the counts of one SKU disagree, `in_redis` being None where Redis has none."""
    total = row["initial"] + row["adjusted"]
    counted = row["available"] + row["reserved"] + row["sold"]
    pairs = [
        ("total", counted, "initial + adjusted", total),
        ("reserved", row["reserved"], "orders", row["orders_reserved"]),
        ("sold", row["sold"], "orders", row["orders_sold"]),
        ("reserved", row["reserved"], "reservations", row["holds_active"]),
        ("sold", row["sold"], "reservations", row["holds_claimed"]),
    ]
    if in_redis is not None:
        pairs.append(("available", row["available"], "redis", in_redis))
    for of, counter, against, count in pairs:
        if counter != count:
            yield Difference(of, counter, against, count)
