"""Quotes: a price with its reasons, kept for a few minutes and computed again at checkout."""

import secrets
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from target_app.coupons.claiming import refuse_unusable
from target_app.database.primary import Connection
from target_app.instants import rfc3339
from target_app.members.people import Member
from target_app.pricing.pricing import UnknownSkuError, price
from target_app.pricing.quote import Cart, Quote, UnusedCoupon
from target_app.pricing.rule_book import RuleBook
from target_app.pricing.rules import Rules, Tier
from target_app.problems import ProblemError

SALE = "SELECT now() AS at, promotion_version FROM sale WHERE id = $1"
STORE = """
INSERT INTO quotes (quote_id, promotion_version, user_ref, tier, cart, total, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
STORED = """
SELECT promotion_version, user_ref, tier, cart, total, expires_at <= now() AS expired
FROM quotes WHERE quote_id = $1
"""
INVALID = frozenset({"unknown", "not_now"})
"""Why a coupon is refused rather than quoted without: the buyer cannot mend it by buying more."""


async def current_rules(
    connection: Connection, book: RuleBook, *, sale: str
) -> tuple[Rules, datetime]:
    """Return the rules that prices follow now, and when now is by the database's clock."""
    for _ in range(2):  # rules may be replaced between the two reads, but hardly twice
        row = await connection.fetchrow(SALE, sale)
        rules = await book.rules(connection, row["promotion_version"]) if row else None
        if row is not None and rules is not None:
            return rules, row["at"]
    raise ProblemError(404, "unknown_campaign")


def priced(cart: Cart, rules: Rules, *, at: datetime, tier: Tier) -> Quote:
    """Return the price of `cart`, or refuse what nobody could be sold.

    Raises:
        ProblemError: A SKU is unknown or named twice, or a coupon is none.
    """
    try:
        quote = price(cart, rules, at, tier)
    except UnknownSkuError as error:
        raise ProblemError(404, "unknown_sku", details={"sku": error.sku}) from error
    except ValueError as error:
        raise ProblemError(422, "invalid_body", details={"detail": str(error)}) from error
    for coupon in quote.unused_coupons:
        if coupon.reason in INVALID:
            raise coupon_invalid(coupon)
    return quote


def coupon_invalid(coupon: UnusedCoupon) -> ProblemError:
    details = {"coupon": coupon.code, "reason": coupon.reason}
    return ProblemError(422, "coupon_invalid", details=details)


def used_codes(quote: Quote) -> list[str]:
    return [discount.rule for discount in quote.discounts if discount.step == "coupon"]


async def store_quote(
    connection: Connection, cart: Cart, quote: Quote, *, member: Member | None, expires_at: datetime
) -> dict[str, Any]:
    """Keep a quote and return it as its buyer sees it.

    Raises:
        ProblemError: It uses a coupon of which this buyer has had all there are for them.
    """
    user_ref = member.customer if member else None
    await refuse_unusable(connection, used_codes(quote), user_ref=user_ref)
    quote_id = f"q_{secrets.token_hex(10)}"
    await connection.execute(
        STORE,
        quote_id,
        quote.promotion_version,
        user_ref,
        quote.tier,
        msgspec.json.encode(cart).decode(),
        quote.total,
        expires_at,
    )
    return {
        "quote_id": quote_id,
        **msgspec.structs.asdict(quote),
        "expires_at": rfc3339(expires_at),
    }


def expiry(at: datetime, *, ttl_s: float) -> datetime:
    return at + timedelta(seconds=ttl_s)


async def stored_quote(
    connection: Connection, quote_id: str, *, cart: Cart, user_ref: str
) -> asyncpg.Record:
    """Return the quote that a checkout rests on.

    Raises:
        ProblemError: It has expired, or is for something or somebody else.
    """
    quote = await connection.fetchrow(STORED, quote_id)
    if quote is None:
        raise stale("unknown")
    if quote["expired"]:
        raise stale("expired")
    if quote["user_ref"] not in {None, user_ref}:
        raise stale("other_customer")
    if not _same(msgspec.json.decode(quote["cart"], type=Cart), cart):
        raise stale("other_cart")
    return quote


def stale(reason: str, **details: object) -> ProblemError:
    return ProblemError(412, "quote_stale", details={"reason": reason, **details})


def _same(one: Cart, other: Cart) -> bool:
    lines = sorted(one.lines) == sorted(other.lines)
    return lines and set(one.coupons) == set(other.coupons)
