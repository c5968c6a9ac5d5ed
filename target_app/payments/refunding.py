"""Money given back: asked for by somebody or owed by the shop, sent until the provider answers."""

import logging
from typing import TYPE_CHECKING, Annotated, Any

import asyncpg
import msgspec

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.orders.states import OWING, Status
from target_app.orders.transitions import Change, move
from target_app.payments.findings import Refused
from target_app.problems import ProblemError

if TYPE_CHECKING:
    from target_app.shop import Shop

log = logging.getLogger(__name__)

AT_ONCE = 20
REFUSALS_MAX = 3
"""A provider that refuses this often will not change its mind; people have to look."""

ORDER = "SELECT status FROM orders WHERE order_id = $1 FOR UPDATE"
EARLIER = "SELECT * FROM refunds WHERE order_id = $1 AND request_key = $2"
CURRENT = """
SELECT r.state, o.status AS order_status FROM refunds r JOIN orders o USING (order_id)
WHERE refund_id = $1
"""
REFUNDABLE = """
SELECT p.psp_key, p.amount - coalesce(sum(r.amount) FILTER (WHERE r.state <> 'failed'), 0)::bigint
       AS rest, count(r.refund_id) AS number
FROM payments p LEFT JOIN refunds r USING (psp_key)
WHERE p.order_id = $1 AND p.state = 'captured' GROUP BY p.psp_key, p.amount, p.created_at
ORDER BY rest DESC, p.created_at
"""
RECORD = """
INSERT INTO refunds (refund_id, order_id, psp_key, request_key, amount, restock, state,
                     next_try_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, 'pending', now() + interval '1.5 seconds', now())
RETURNING *
"""
DUE = """
UPDATE refunds r SET tries = tries + 1,
    next_try_at = now() + power(2, least(tries, 2)) * interval '1 second'
FROM payments p WHERE p.psp_key = r.psp_key AND r.refund_id IN (
    SELECT refund_id FROM refunds WHERE state = 'pending' AND next_try_at <= now()
    ORDER BY next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING r.refund_id, p.psp_ref, r.amount
"""
REF = "SELECT psp_ref FROM payments WHERE psp_key = $1"
SUCCEED = """
UPDATE refunds SET state = 'succeeded' WHERE refund_id = $1 AND state = 'pending'
RETURNING order_id, psp_key, request_key
"""
CLOSE_PAYMENT = """
UPDATE payments p SET state = 'refunded' WHERE psp_key = $1 AND state = 'captured' AND p.amount <= (
    SELECT sum(amount) FROM refunds r WHERE r.psp_key = p.psp_key AND r.state = 'succeeded')
"""
REFUSE = """
UPDATE refunds SET refusals = refusals + 1,
    state = CASE WHEN refusals + 1 >= $2 THEN 'failed' ELSE state END
WHERE refund_id = $1 AND state = 'pending' RETURNING order_id, state
"""
PENDING = "SELECT count(*) FROM refunds WHERE order_id = $1 AND state = 'pending'"


class RefundWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a refund; without an amount, all that is left."""

    amount: Annotated[int, msgspec.Meta(ge=1)] | None = None
    restock: bool = False


async def ask_back(shop: "Shop", wish: RefundWish, *, order_id: str, key: str) -> dict[str, Any]:
    """Give back what `wish` says, once for each key; return where the refund stands.

    Once it is written down it will be sent, so from there on it is pending whatever goes wrong.
    """
    async with shop.change() as change:
        refund, fresh = await _recorded(change, wish, order_id=order_id, key=key)
        status = await change.connection.fetchval(ORDER, order_id)
        psp_ref = await change.connection.fetchval(REF, refund["psp_key"])
    try:
        if fresh:
            await send(shop, refund["refund_id"], psp_ref=psp_ref, amount=refund["amount"])
        async with shop.database.connection() as connection:
            current = await connection.fetchrow(CURRENT, refund["refund_id"])
    except (UnavailableError, UnknownOutcomeError) as error:
        log.warning("%s: not booked yet: %s", refund["refund_id"], error)
        return _told(refund, state=refund["state"], order_status=status)
    assert current is not None
    return _told(refund, **current)


def _told(refund: asyncpg.Record, *, state: str, order_status: str) -> dict[str, Any]:
    return {
        "refund_id": refund["refund_id"],
        "order_id": refund["order_id"],
        "amount": refund["amount"],
        "restock": refund["restock"],
        "state": state,
        "order_status": order_status,
    }


async def _recorded(
    change: Change, wish: RefundWish, *, order_id: str, key: str
) -> tuple[asyncpg.Record, bool]:
    status = await change.connection.fetchval(ORDER, order_id)
    if status is None:
        raise ProblemError(404, "unknown_order")
    earlier = await change.connection.fetchrow(EARLIER, order_id, key)
    if earlier is not None:
        if wish.restock != earlier["restock"] or wish.amount not in (None, earlier["amount"]):
            raise ProblemError(422, "key_mismatch")
        return earlier, False
    paid = await change.connection.fetchrow(REFUNDABLE, order_id)
    if status not in OWING or paid is None or not paid["rest"]:
        raise ProblemError(409, "not_refundable", details={"order_status": status})
    amount = wish.amount or paid["rest"]
    if amount > paid["rest"]:
        raise ProblemError(422, "amount_too_high", details={"refundable": paid["rest"]})
    if wish.restock and amount < paid["rest"]:
        raise ProblemError(422, "restock_needs_full_refund")
    refund = await record(change, paid, order_id=order_id, key=key, wish=(amount, wish.restock))
    if amount == paid["rest"]:
        await move(
            change,
            order_id,
            source=Status(status),
            target=Status.REFUND_PENDING,
            restock=wish.restock,
        )
    return refund, True


async def record(
    change: Change,
    paid: asyncpg.Record,
    *,
    order_id: str,
    key: str | None,
    wish: tuple[int, bool],
) -> asyncpg.Record:
    """Write down a refund of the payment `paid`; the job sends it if nobody else does."""
    part = f":{paid['number'] + 1}" if paid["number"] else ""
    refund = await change.connection.fetchrow(
        RECORD, f"{paid['psp_key']}{part}:refund", order_id, paid["psp_key"], key, *wish
    )
    assert refund is not None
    return refund


async def give_back(shop: "Shop") -> None:
    """Send the refunds that are due; the next time is set first, so replicas take turns."""
    async with shop.database.connection() as connection:
        rows = await connection.fetch(DUE, AT_ONCE)
    for row in rows:
        await send(shop, row["refund_id"], psp_ref=row["psp_ref"], amount=row["amount"])


async def send(shop: "Shop", refund_id: str, *, psp_ref: str, amount: int) -> None:
    """Ask the provider for one refund and book what it says; no word leaves it for later."""
    answer = await shop.provider.refund(
        psp_ref=psp_ref, psp_key=refund_id.removesuffix(":refund"), amount=amount
    )
    if answer is None:
        async with shop.change() as change:
            await book_refund(change, refund_id)
    elif isinstance(answer, Refused):
        async with shop.change() as change:
            await book_refusal(change, refund_id)


async def book_refund(change: Change, refund_id: str) -> None:
    connection = change.connection
    refund = await connection.fetchrow(SUCCEED, refund_id)
    if refund is None:
        return
    await connection.execute(CLOSE_PAYMENT, refund["psp_key"])
    order_id = refund["order_id"]
    status = Status(await connection.fetchval(ORDER, order_id))
    if status is Status.REFUND_PENDING and not await connection.fetchval(PENDING, order_id):
        await move(change, order_id, source=status, target=Status.REFUNDED)
    elif refund["request_key"] and status in {Status.PAID, Status.FULFILLED}:
        await move(change, order_id, source=status, target=Status.PARTIALLY_REFUNDED)


async def book_refusal(change: Change, refund_id: str) -> None:
    refund = await change.connection.fetchrow(REFUSE, refund_id, REFUSALS_MAX)
    if refund is None or refund["state"] != "failed":
        return
    await move(change, refund["order_id"], source=Status.REFUND_PENDING, target=Status.REVIEW)
