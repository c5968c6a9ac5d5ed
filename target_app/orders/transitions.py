"""The one way to change an order: compare and set, with its event, its message and its units."""

from dataclasses import dataclass, field

from target_app.database.primary import Connection
from target_app.members.allowances import TakeAllowances, take_allowances
from target_app.members.entitlements import give_back, take_again
from target_app.orders.states import HOLDING, MOVES, Status, StockEffect
from target_app.pricing.rule_book import RuleBook
from target_app.reservations import Line, Reservations, SoldOutError

MOVE = """
WITH moved AS (
    UPDATE orders SET status = $3, version = version + 1, updated_at = now()
    WHERE order_id = $1 AND status = $2 RETURNING version, total
), told AS (
    INSERT INTO outbox (order_id, status) SELECT $1, $3 FROM moved
)
INSERT INTO order_events (order_id, seq, from_status, to_status, at)
SELECT $1, version, $2, $3, now() FROM moved
RETURNING (SELECT total FROM moved)
"""
END_HOLDS = """
WITH ended AS (
    UPDATE reservations SET state = $2
    WHERE order_id = $1 AND state = ANY($3) AND ($4::text IS NULL OR sku = $4) RETURNING sku, qty
)
SELECT sku, sum(qty)::bigint AS qty FROM ended GROUP BY sku ORDER BY sku
"""
LOST = ("expired", "released", "returned")
# What is no offer of the sale can only have been given.
LOST_LINES = """
SELECT r.sku, NOT EXISTS (SELECT FROM products p WHERE p.sku = r.sku) AS given
FROM reservations r JOIN order_lines l USING (order_id, sku)
WHERE order_id = $1 AND r.state = ANY($2) GROUP BY r.sku ORDER BY r.sku
"""
NOT_GIVEN = "DELETE FROM order_lines WHERE order_id = $1 AND sku = $2"
TIMES_PAID = "SELECT count(*) FROM order_events WHERE order_id = $1 AND to_status = 'paid'"


@dataclass
class Change:
    """What one transaction does to orders: its connection, its strategy, the moves it made.

    `paid_minor_units` has an amount for each order that it was the first to make paid; `rule_book`
    keeps what rules of the sale this replica has read before, `gone_gifts` what an earlier try
    found gone.
    `take_allowances` counts what a checkout takes of what its buyer may have.
    """

    connection: Connection
    reservations: Reservations
    moves: list[tuple[str, str]] = field(default_factory=list)
    paid_minor_units: list[int] = field(default_factory=list)
    rule_book: RuleBook = field(default_factory=RuleBook)
    gone_gifts: frozenset[str] = frozenset()
    take_allowances: TakeAllowances = take_allowances


async def move(
    change: Change, order_id: str, *, source: Status, target: Status, restock: bool = True
) -> bool:
    """Move an order if it still is where the caller saw it; False if somebody was first.

    Units that come back are for sale again with `restock`, else written off.

    Raises:
        SoldOutError: The move needs units that are no longer there; roll back.
    """
    effect = MOVES[source, target]
    total = await change.connection.fetchval(MOVE, order_id, source, target)
    if total is None:
        return False
    change.moves.append((source, target))
    await _apply(change, order_id, effect=effect, lapsed=target is Status.EXPIRED, restock=restock)
    if target is Status.PAID and await _is_news(change, order_id, source=source):
        change.paid_minor_units.append(total)
    return True


async def _is_news(change: Change, order_id: str, *, source: Status) -> bool:
    """Tell whether an order became paid for the first time, which a review may make it again."""
    if source in HOLDING:
        return True
    return bool(await change.connection.fetchval(TIMES_PAID, order_id) == 1)


async def _apply(
    change: Change, order_id: str, *, effect: StockEffect, lapsed: bool, restock: bool
) -> None:
    match effect:
        case StockEffect.NONE:
            pass
        case StockEffect.CLAIM:
            await _claim(change, order_id)
        case StockEffect.RELEASE:
            state = "expired" if lapsed else "released"
            await _release(change, order_id, state=state)
        case StockEffect.RETAKE:
            await _retake(change, order_id)
        case StockEffect.RETURN:
            await _return(change, order_id, restock=restock)
        case StockEffect.SETTLE:
            await _claim(change, order_id)
            await _retake(change, order_id)
        case StockEffect.FREE:
            await _release(change, order_id, state="released")
            await _return(change, order_id, restock=restock)


async def _claim(change: Change, order_id: str) -> None:
    lines = await _end_holds(change, order_id, state="claimed", held=("active",))
    await change.reservations.claim(change.connection, lines)


async def _release(change: Change, order_id: str, *, state: str) -> None:
    lines = await _end_holds(change, order_id, state=state, held=("active",))
    await give_back(change.connection, order_id)
    await change.reservations.release(change.connection, lines)


async def _retake(change: Change, order_id: str) -> None:
    """Take again what the order lost, in the order of its SKUs as everybody does.

    A gift that is gone stops nobody, here as in checkout: the order goes on without it.
    """
    lines = await change.connection.fetch(LOST_LINES, order_id, list(LOST))
    if not await take_again(change.connection, order_id):
        raise SoldOutError(lines[0]["sku"] if lines else order_id)
    for line in lines:
        if line["given"]:
            await _give_again(change, order_id, line["sku"])
        else:
            await _retake_line(change, order_id, line["sku"])


async def _give_again(change: Change, order_id: str, sku: str) -> None:
    try:
        async with change.connection.transaction():
            await _retake_line(change, order_id, sku)
    except SoldOutError:
        await change.connection.execute(NOT_GIVEN, order_id, sku)


async def _retake_line(change: Change, order_id: str, sku: str) -> None:
    lines = await _end_holds(change, order_id, state="claimed", held=LOST, sku=sku)
    await change.reservations.retake(change.connection, lines)


async def _return(change: Change, order_id: str, *, restock: bool) -> None:
    lines = await _end_holds(change, order_id, state="returned", held=("claimed",))
    await give_back(change.connection, order_id)
    act = change.reservations.take_back if restock else change.reservations.write_off
    await act(change.connection, lines)


async def _end_holds(
    change: Change, order_id: str, *, state: str, held: tuple[str, ...], sku: str | None = None
) -> list[Line]:
    rows = await change.connection.fetch(END_HOLDS, order_id, state, list(held), sku)
    return [Line(row["sku"], row["qty"]) for row in rows]
