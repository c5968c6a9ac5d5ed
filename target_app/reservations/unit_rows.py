"""One row for each unit, so that buyers lock the units they get and nothing else.

Rows that others have locked are passed over. That finds units fast, but too few of them may mean
"busy" as well as "sold out": whoever has locked them may still roll back. So nobody is refused
before a second look, which waits. Units have no owner: an order ends as many holds as it has.

Every unit on sale is a row from the start, and whoever reads the stock counts rows: right for
tens of thousands of units. Shops that sell more this way keep a small pool of free rows filled.
"""

from collections.abc import Sequence

from target_app.database.primary import Connection
from target_app.reservations import Line, SoldOutError

ENOUGH = """
SELECT count(*) >= wanted.qty FROM (
    SELECT FROM stock_units u WHERE u.sku = wanted.sku AND u.state = 'free' LIMIT wanted.qty
) AS found
"""
# Counts no further than it has to: what is far above its line is not worth counting at each sale.
RAISE = """
INSERT INTO alerts (sku, at, available)
SELECT s.sku, now(), left_over.units FROM stock s CROSS JOIN LATERAL (
    SELECT count(*) AS units FROM (
        SELECT FROM stock_units u WHERE u.sku = s.sku AND u.state = 'free' LIMIT s.low_stock_at + 1
    ) AS found
) AS left_over
WHERE s.sku = ANY($1) AND s.low_stock_at IS NOT NULL AND left_over.units <= s.low_stock_at
  AND s.sku NOT IN (SELECT sku FROM alerts)
ORDER BY s.sku ON CONFLICT DO NOTHING
"""
MAKE = """
WITH moved AS (
    UPDATE stock SET available = 0 WHERE available > 0
    RETURNING sku, (SELECT old.available FROM stock old WHERE old.sku = stock.sku) AS units
)
INSERT INTO stock_units (sku, number)
SELECT sku, number FROM moved, generate_series(1, units) AS number
"""
TURN = """
WITH picked AS MATERIALIZED (
    SELECT number FROM stock_units WHERE sku = $1 AND state = '{source}'
    ORDER BY number LIMIT $2 FOR UPDATE {others}
)
UPDATE stock_units u SET state = '{target}' FROM picked
WHERE u.sku = $1 AND u.number = picked.number AND (SELECT count(*) FROM picked) = $2
"""
PASS_OVER = "SKIP LOCKED"
WAIT = ""
ADJUST = "UPDATE stock SET adjusted = adjusted - $2 WHERE sku = $1"
LOOKS_AT_MOST = 5
"""Units may change hands below a look at those of orders: what was another's may now be ours."""


class TooFewError(Exception):
    """A look found fewer units than wanted, and turned none."""


async def prepare(connection: Connection) -> None:
    await connection.execute(MAKE)


async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
    await _take(connection, lines, target="held")


async def retake(connection: Connection, lines: Sequence[Line]) -> None:
    await _take(connection, lines, target="sold")


async def claim(connection: Connection, lines: Sequence[Line]) -> None:
    await _end(connection, lines, source="held", target="sold")


async def release(connection: Connection, lines: Sequence[Line]) -> None:
    await _end(connection, lines, source="held", target="free")


async def take_back(connection: Connection, lines: Sequence[Line]) -> None:
    await _end(connection, lines, source="sold", target="free")


async def write_off(connection: Connection, lines: Sequence[Line]) -> None:
    await _end(connection, lines, source="sold", target="gone")
    for line in lines:
        await connection.execute(ADJUST, line.sku, line.qty)


async def _take(connection: Connection, lines: Sequence[Line], *, target: str) -> None:
    for line in lines:
        try:
            await look(connection, line, source="free", target=target)
        except TooFewError:
            await _look_again(connection, line, source="free", target=target)
    await connection.execute(RAISE, [line.sku for line in lines])


async def _look_again(connection: Connection, line: Line, *, source: str, target: str) -> None:
    try:
        await look(connection, line, source=source, target=target, others=WAIT)
    except TooFewError as error:
        raise SoldOutError(line.sku) from error


async def _end(connection: Connection, lines: Sequence[Line], *, source: str, target: str) -> None:
    for line in lines:
        for attempt in range(LOOKS_AT_MOST):
            others = WAIT if attempt else PASS_OVER
            try:
                await look(connection, line, source=source, target=target, others=others)
                break
            except TooFewError:
                continue
        else:
            raise RuntimeError(f"fewer than {line.qty} units of {line.sku} are {source}")


async def look(
    connection: Connection, line: Line, *, source: str, target: str, others: str = PASS_OVER
) -> None:
    """Turn as many units as `line` wants, or none.

    In a savepoint: whoever gets too few must let go of them before waiting for more, or two
    buyers would wait for each other. Even one who wants a single unit may have locked a row that
    turned out to be taken.

    Raises:
        TooFewError: Fewer were found; `others` says what became of those that are locked.
    """
    turn = TURN.format(source=source, target=target, others=others)
    async with connection.transaction():
        done = await connection.execute(turn, line.sku, line.qty)
        if done != f"UPDATE {line.qty}":
            raise TooFewError
