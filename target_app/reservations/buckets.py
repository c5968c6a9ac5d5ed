"""Several rows for each SKU, so that as many buyers can take units at once.

A buyer tries one row, and only where that has too few looks at all of them: the last units may
be strewn over several, and none may be called sold out while they are. All are then locked, in
one order for everybody, and what is read of a locked row is its newest version, so the look is
exact. Units have no owner: an order gives back to whichever row has as many held.
"""

import random
from collections.abc import Sequence

import asyncpg

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError
from target_app.reservations.alerts import raise_alerts

BUCKETS = 8

DEAL_OUT = """
WITH moved AS (
    UPDATE stock SET available = 0 WHERE available > 0
    RETURNING sku, (SELECT old.available FROM stock old WHERE old.sku = stock.sku) AS units
)
INSERT INTO stock_buckets (sku, bucket, available)
SELECT sku, bucket, units / $1::int + (bucket < units % $1::int)::int
FROM moved, generate_series(0, $1::int - 1) AS bucket
"""
ENOUGH = """
SELECT sum(b.available) >= wanted.qty FROM stock_buckets b WHERE b.sku = wanted.sku
"""
FROM_ONE = """
UPDATE stock_buckets SET {source} = {source} - $3, {target} = {target} + $3
WHERE sku = $1 AND bucket = $2 AND {source} >= $3 RETURNING bucket
"""
LOCK_ALL = """
SELECT bucket, {source} AS units FROM stock_buckets WHERE sku = $1 ORDER BY bucket FOR UPDATE
"""
FROM_SEVERAL = """
UPDATE stock_buckets b SET {source} = {source} - part.qty, {target} = {target} + part.qty
FROM unnest($2::int[], $3::bigint[]) AS part (bucket, qty)
WHERE b.sku = $1 AND b.bucket = part.bucket
"""
DROP = """
UPDATE stock_buckets b SET sold = sold - part.qty
FROM unnest($2::int[], $3::bigint[]) AS part (bucket, qty)
WHERE b.sku = $1 AND b.bucket = part.bucket
"""
ADJUST = "UPDATE stock SET adjusted = adjusted - $2 WHERE sku = $1"


async def prepare(connection: Connection) -> None:
    await connection.execute(DEAL_OUT, BUCKETS)


async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
    await _move(connection, lines, source="available", target="reserved")
    await raise_alerts(connection, lines)


async def claim(connection: Connection, lines: Sequence[Line]) -> None:
    await _move(connection, lines, source="reserved", target="sold")


async def release(connection: Connection, lines: Sequence[Line]) -> None:
    await _move(connection, lines, source="reserved", target="available")


async def retake(connection: Connection, lines: Sequence[Line]) -> None:
    await _move(connection, lines, source="available", target="sold")
    await raise_alerts(connection, lines)


async def take_back(connection: Connection, lines: Sequence[Line]) -> None:
    await _move(connection, lines, source="sold", target="available")


async def write_off(connection: Connection, lines: Sequence[Line]) -> None:
    for line in lines:
        rows = await connection.fetch(LOCK_ALL.format(source="sold"), line.sku)
        parts = _parts(rows, line)
        await connection.execute(DROP, line.sku, list(parts), list(parts.values()))
        await connection.execute(ADJUST, line.sku, line.qty)


async def _move(connection: Connection, lines: Sequence[Line], *, source: str, target: str) -> None:
    columns = {"source": source, "target": target}
    for line in lines:
        if await _moved_in_one(connection, line, FROM_ONE.format(**columns)):
            continue
        rows = await connection.fetch(LOCK_ALL.format(**columns), line.sku)
        parts = _parts(rows, line)
        await connection.execute(
            FROM_SEVERAL.format(**columns), line.sku, list(parts), list(parts.values())
        )


async def _moved_in_one(connection: Connection, line: Line, update: str) -> bool:
    """Try one bucket, in a savepoint.

    An update that waits for a row, and then finds too little in it, keeps the row locked all the
    same. Two buyers who each went on to lock all buckets from there would wait for each other.
    """
    bucket = random.randrange(BUCKETS)
    savepoint = connection.transaction()
    await savepoint.start()
    if await connection.fetchval(update, line.sku, bucket, line.qty) is None:
        await savepoint.rollback()
        return False
    await savepoint.commit()
    return True


def _parts(rows: Sequence[asyncpg.Record], line: Line) -> dict[int, int]:
    """Return how many units to move in which bucket, first buckets first."""
    parts: dict[int, int] = {}
    wanted = line.qty
    for row in rows:
        parts[row["bucket"]] = min(wanted, row["units"])
        wanted -= parts[row["bucket"]]
    if wanted:
        raise SoldOutError(line.sku)
    return parts
