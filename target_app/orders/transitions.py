"""The one way to change an order: compare and set, with its event and its units."""

from dataclasses import dataclass, field

from target_app.database.primary import Connection
from target_app.orders.states import MOVES, Status, StockEffect
from target_app.reservations import Line, Reservations

MOVE = """
WITH moved AS (
    UPDATE orders SET status = $3, version = version + 1, updated_at = now()
    WHERE order_id = $1 AND status = $2 RETURNING version
)
INSERT INTO order_events (order_id, seq, from_status, to_status, at)
SELECT $1, version, $2, $3, now() FROM moved
RETURNING seq
"""
END_HOLDS = """
WITH ended AS (
    UPDATE reservations SET state = $2 WHERE order_id = $1 AND state = ANY($3) RETURNING sku, qty
)
SELECT sku, sum(qty)::bigint AS qty FROM ended GROUP BY sku ORDER BY sku
"""


@dataclass
class Change:
    """What one transaction does to orders: its connection, its strategy, the moves it made."""

    connection: Connection
    reservations: Reservations
    moves: list[tuple[str, str]] = field(default_factory=list)


async def move(change: Change, order_id: str, *, source: Status, target: Status) -> bool:
    """Move an order if it still is where the caller saw it; False if somebody was first.

    Raises:
        SoldOutError: The move needs units that are no longer there; roll back.
    """
    effect = MOVES[source, target]
    if await change.connection.fetchval(MOVE, order_id, source, target) is None:
        return False
    change.moves.append((source, target))
    await _apply(change, order_id, effect=effect, target=target)
    return True


async def _apply(change: Change, order_id: str, *, effect: StockEffect, target: Status) -> None:
    match effect:
        case StockEffect.NONE:
            return
        case StockEffect.CLAIM:
            lines = await _end_holds(change, order_id, state="claimed", held=("active",))
            await change.reservations.claim(change.connection, lines)
        case StockEffect.RELEASE:
            state = "expired" if target is Status.EXPIRED else "released"
            lines = await _end_holds(change, order_id, state=state, held=("active",))
            await change.reservations.release(change.connection, lines)
        case StockEffect.RETAKE:
            held = ("expired", "released")
            lines = await _end_holds(change, order_id, state="claimed", held=held)
            await change.reservations.retake(change.connection, lines)


async def _end_holds(
    change: Change, order_id: str, *, state: str, held: tuple[str, ...]
) -> list[Line]:
    rows = await change.connection.fetch(END_HOLDS, order_id, state, list(held))
    return [Line(row["sku"], row["qty"]) for row in rows]
