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
from target_app.logs import note
from target_app.orders.transitions import Change
from target_app.pricing.rules import Label, Name, Rules
from target_app.pricing.terms import keep, opens_at, rules_now, terms_of
from target_app.problems import ProblemError
from target_app.reservations import Line, SoldOutError

SCOPE = "checkout"
CURRENCY = "EUR"

# `enough` is the strategy's: whether what it counts says that so many are left.
SITUATION = """
SELECT now() AS at, lock.mine, sale.starts_at, sale.ends_at, sale.paused_at, k.fingerprint, k.body,
       sale.promotion_version, p.sku, p.price, p.limit_per_user, ({enough}) AS enough
FROM (SELECT pg_try_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0)) AS mine) AS lock
LEFT JOIN sale ON sale.id = $5
LEFT JOIN idempotency_keys k ON k.scope = $1 AND k.key = $2
LEFT JOIN unnest($3::text[], $4::bigint[]) AS wanted (sku, qty) ON true
LEFT JOIN products p ON p.sku = wanted.sku
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
), told AS (
    INSERT INTO outbox (order_id, status) SELECT $5, 'pending_payment' FROM kept
)
INSERT INTO order_events (order_id, seq, from_status, to_status, at)
SELECT $5, 1, NULL, 'pending_payment', now() FROM kept
RETURNING seq
"""


class WantedLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a checkout's body."""

    sku: Label
    qty: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Checkout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a checkout."""

    client_ref: Label
    customer: Label
    campaign_id: Label
    lines: Annotated[tuple[WantedLine, ...], msgspec.Meta(min_length=1, max_length=20)]
    channel: Label | None = None
    quote_id: Label | None = None
    coupons: Annotated[tuple[Name, ...], msgspec.Meta(max_length=20)] = ()


@dataclass(frozen=True)
class CheckedOut:
    """The answer to a checkout that created an order, now or under the same key before."""

    body: bytes
    replayed: bool


class KeyTakenError(Exception):
    """Another checkout with this key committed a moment ago; its answer can be replayed now."""


class GiftGoneError(Exception):
    """There was a gift to be seen and none to be had; roll back and order without `sku`."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"no {sku} to give")
        self.sku = sku


async def check_out(change: Change, wish: Checkout, *, key: str, hold_s: float) -> CheckedOut:
    """Create the order that `wish` asks for, or return the answer that `key` already got.

    Raises:
        ProblemError: A definite no; nothing was done once the transaction is rolled back.
        KeyTakenError: Roll back and ask again.
        GiftGoneError: Roll back and ask again, with the gift among `change.gone_gifts`.
    """
    lines = _sorted_lines(wish)
    fingerprint = hashlib.sha256(msgspec.json.encode(wish)).hexdigest()
    situation = await _situation(change, lines, key=key, campaign_id=wish.campaign_id)
    stored = _stored(situation[0], fingerprint)
    if stored is not None:
        return stored
    rules = await rules_now(change.connection, change.rule_book, situation[0]["promotion_version"])
    await _refuse_outside_sale(change, situation[0], wish=wish, rules=rules)
    prices = _prices(situation, lines)
    at = situation[0]["at"]
    terms = await terms_of(change, rules, wish, lines=lines, at=at)
    held = sorted((*lines, *terms.gifts))
    order = _order(wish, lines=held, prices=prices, at=at, hold_s=hold_s) | terms.told()
    body = msgspec.json.encode(order)
    await _create(change, wish, order=order, kept=(SCOPE, key, fingerprint, body))
    await _take_allowances(change, wish, situation, order_id=order["order_id"])
    await keep(change.connection, terms, wish, order_id=order["order_id"])
    await _reserve(change, held, gifts=terms.gifts)
    change.moves.append(("", "pending_payment"))
    note(order_id=order["order_id"])
    return CheckedOut(body, replayed=False)


async def _situation(
    change: Change, lines: Sequence[Line], *, key: str, campaign_id: str
) -> Sequence[asyncpg.Record]:
    query = SITUATION.format(enough=change.reservations.enough)
    skus, quantities = [line.sku for line in lines], [line.qty for line in lines]
    return await change.connection.fetch(query, SCOPE, key, skus, quantities, campaign_id)


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


async def _refuse_outside_sale(
    change: Change, situation: asyncpg.Record, *, wish: Checkout, rules: Rules | None
) -> None:
    """Open and close by the database's clock, the only one that all replicas share."""
    at, starts_at, ends_at = situation["at"], situation["starts_at"], situation["ends_at"]
    if starts_at is None:
        raise ProblemError(404, "unknown_campaign")
    if at < starts_at:
        starts_at = await opens_at(change.connection, rules, wish, otherwise=starts_at)
    if at < starts_at:
        raise ProblemError(403, "not_started", details={"starts_at": rfc3339(starts_at)})
    if ends_at is not None and at >= ends_at:
        raise ProblemError(410, "campaign_ended", details={"ended_at": rfc3339(ends_at)})
    if situation["paused_at"] is not None:
        raise ProblemError(403, "paused")


def _prices(situation: Sequence[asyncpg.Record], lines: Sequence[Line]) -> dict[str, int]:
    """Return the price of each SKU, or refuse at once what plainly cannot be sold.

    A refusal may rest on a read; a sale never does.
    """
    offers = {row["sku"]: row for row in situation}
    for line in lines:
        if line.sku not in offers:
            raise ProblemError(404, "unknown_sku", details={"sku": line.sku})
        if not offers[line.sku]["enough"]:
            raise _sold_out(line.sku)
    return {line.sku: offers[line.sku]["price"] for line in lines}


async def _take_allowances(
    change: Change, wish: Checkout, situation: Sequence[asyncpg.Record], *, order_id: str
) -> None:
    limits = {row["sku"]: row["limit_per_user"] for row in situation if row["limit_per_user"]}
    if limits:
        await change.take_allowances(
            change.connection,
            _sorted_lines(wish),
            limits=limits,
            user_ref=wish.customer,
            order_id=order_id,
        )


async def _reserve(change: Change, held: Sequence[Line], *, gifts: Sequence[Line]) -> None:
    try:
        await change.reservations.reserve(change.connection, held)
    except SoldOutError as error:
        if error.sku in {gift.sku for gift in gifts}:
            raise GiftGoneError(error.sku) from error
        raise _sold_out(error.sku) from error


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
    total = sum(line.qty * prices.get(line.sku, 0) for line in lines)
    return {
        "order_id": f"o_{secrets.token_hex(10)}",
        "client_ref": wish.client_ref,
        "status": "pending_payment",
        "lines": [
            {"sku": line.sku, "qty": line.qty, "unit_price": prices.get(line.sku, 0)}
            for line in lines
        ],
        "subtotal": total,
        "discounts": [],
        "total": total,
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
