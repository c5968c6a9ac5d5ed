"""Checkout: reserve units and create the order, once for each idempotency key.

Everything a checkout does is in one transaction, so its key, its order and its stored answer
appear together or not at all. "In flight" is an advisory lock that ends with the transaction: a
replica that dies leaves nothing to clean up. A refusal changes nothing and is not stored; the
same key may be tried again and is judged anew.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import asyncpg
import msgspec

from target_app.instants import rfc3339
from target_app.orders.transitions import Change
from target_app.problems import ProblemError
from target_app.reservations import Line, SoldOutError

SCOPE = "checkout"
CURRENCY = "EUR"

SITUATION = """
SELECT now() AS at, lock.mine, sale.starts_at, sale.ends_at, k.fingerprint, k.body,
       p.sku, p.price, s.available
FROM (SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0)) AS mine) AS lock
LEFT JOIN sale ON sale.id = $4
LEFT JOIN idempotency_keys k ON k.scope = $1 AND k.key = $2
LEFT JOIN products p ON p.sku = ANY($3::text[])
LEFT JOIN stock s ON s.sku = p.sku
"""
CREATE = """
WITH kept AS (
    INSERT INTO idempotency_keys (scope, key, fingerprint, body)
    VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING 1
), ordered AS (
    INSERT INTO orders (order_id, client_ref, user_ref, channel, status, total, currency,
                        created_at, updated_at, expires_at, version)
    SELECT $5, $6, $7, $8, 'pending_payment', $9, $10, now(), now(), $11, 1 FROM kept
), line AS (
    SELECT line.* FROM kept, unnest($12::text[], $13::bigint[], $14::bigint[])
        WITH ORDINALITY AS line (sku, qty, unit_price, n)
), lined AS (
    INSERT INTO order_lines (order_id, sku, qty, unit_price)
    SELECT $5, sku, qty, unit_price FROM line
), held AS (
    INSERT INTO reservations (reservation_id, order_id, sku, qty, state, expires_at)
    SELECT $5 || '-r' || n, $5, sku, qty, 'active', $11 FROM line
)
INSERT INTO order_events (order_id, seq, from_status, to_status, at)
SELECT $5, 1, NULL, 'pending_payment', now() FROM kept
RETURNING seq
"""


class WantedLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a checkout's body."""

    sku: str
    qty: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Checkout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a checkout."""

    client_ref: str
    customer: str
    campaign_id: str
    lines: Annotated[tuple[WantedLine, ...], msgspec.Meta(min_length=1, max_length=20)]
    channel: str | None = None


@dataclass(frozen=True)
class CheckedOut:
    """The answer to a checkout that created an order, now or under the same key before."""

    body: bytes
    replayed: bool


class KeyTakenError(Exception):
    """Another checkout with this key committed a moment ago; its answer can be replayed now."""


async def check_out(change: Change, wish: Checkout, *, key: str, hold_s: float) -> CheckedOut:
    """Create the order that `wish` asks for, or return the answer that `key` already got.

    Raises:
        ProblemError: A definite no; nothing was done once the transaction is rolled back.
        KeyTakenError: Roll back and ask again.
    """
    lines = _sorted_lines(wish)
    fingerprint = hashlib.sha256(msgspec.json.encode(wish)).hexdigest()
    situation = await change.connection.fetch(
        SITUATION, SCOPE, key, [line.sku for line in lines], wish.campaign_id
    )
    stored = _stored(situation[0], fingerprint)
    if stored is not None:
        return stored
    _refuse_outside_sale(situation[0])
    prices = _prices(situation, lines)
    order = _order(wish, lines=lines, prices=prices, at=situation[0]["at"], hold_s=hold_s)
    body = msgspec.json.encode(order)
    await _create(change, wish, order=order, kept=(SCOPE, key, fingerprint, body))
    try:
        await change.reservations.reserve(change.connection, lines)
    except SoldOutError as error:
        raise _sold_out(error.sku) from error
    change.moves.append(("", "pending_payment"))
    return CheckedOut(body, replayed=False)


def _sorted_lines(wish: Checkout) -> list[Line]:
    lines = sorted(Line(line.sku, line.qty) for line in wish.lines)
    if len({line.sku for line in lines}) < len(lines):
        raise ProblemError(422, "invalid_body", details={"detail": "one line for each SKU"})
    return lines


def _stored(situation: asyncpg.Record, fingerprint: str) -> CheckedOut | None:
    if not situation["mine"]:
        raise ProblemError(409, "key_in_flight", headers={"Retry-After": "1"})
    if situation["fingerprint"] is None:
        return None
    if situation["fingerprint"] != fingerprint:
        raise ProblemError(422, "key_mismatch")
    return CheckedOut(situation["body"], replayed=True)


def _refuse_outside_sale(situation: asyncpg.Record) -> None:
    """Open and close by the database's clock, the only one that all replicas share."""
    at, starts_at, ends_at = situation["at"], situation["starts_at"], situation["ends_at"]
    if starts_at is None:
        raise ProblemError(404, "unknown_campaign")
    if at < starts_at:
        raise ProblemError(403, "not_started", details={"starts_at": rfc3339(starts_at)})
    if ends_at is not None and at >= ends_at:
        raise ProblemError(410, "campaign_ended", details={"ended_at": rfc3339(ends_at)})


def _prices(situation: Sequence[asyncpg.Record], lines: Sequence[Line]) -> dict[str, int]:
    """Return the price of each SKU, or refuse at once what plainly cannot be sold.

    A refusal may rest on a read; a sale never does.
    """
    offers = {row["sku"]: row for row in situation}
    for line in lines:
        if line.sku not in offers:
            raise ProblemError(404, "unknown_sku", details={"sku": line.sku})
        if offers[line.sku]["available"] < line.qty:
            raise _sold_out(line.sku)
    return {line.sku: offers[line.sku]["price"] for line in lines}


def _sold_out(sku: str) -> ProblemError:
    return ProblemError(409, "sold_out", details={"sku": sku, "retryable": False})


def _order(
    wish: Checkout,
    *,
    lines: Sequence[Line],
    prices: dict[str, int],
    at: datetime,
    hold_s: float,
) -> dict[str, Any]:
    return {
        "order_id": f"o_{secrets.token_hex(10)}",
        "client_ref": wish.client_ref,
        "status": "pending_payment",
        "lines": [
            {"sku": line.sku, "qty": line.qty, "unit_price": prices[line.sku]} for line in lines
        ],
        "total": sum(line.qty * prices[line.sku] for line in lines),
        "currency": CURRENCY,
        "reservation": {"expires_at": rfc3339(at + timedelta(seconds=hold_s))},
        "server_time": rfc3339(at),
    }


async def _create(
    change: Change, wish: Checkout, *, order: dict[str, Any], kept: tuple[str, str, str, bytes]
) -> None:
    """Insert the order with its lines, holds, first event and stored answer, in one round trip."""
    lines = order["lines"]
    created = await change.connection.fetchval(
        CREATE,
        *kept,
        order["order_id"],
        wish.client_ref,
        wish.customer,
        wish.channel,
        order["total"],
        order["currency"],
        datetime.fromisoformat(order["reservation"]["expires_at"]),
        [line["sku"] for line in lines],
        [line["qty"] for line in lines],
        [line["unit_price"] for line in lines],
    )
    if created is None:
        raise KeyTakenError
