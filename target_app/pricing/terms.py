"""On which terms an order is made: what it costs by the rules, its gifts, its buyer's limits.

The price is computed again inside the checkout's transaction, so that nobody pays by rules that
no longer hold. An order to which no rule, coupon or limit applies needs none of this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from target_app.coupons.claiming import use
from target_app.database.primary import Connection
from target_app.pricing.quote import Cart, CartLine, Quote
from target_app.pricing.quoting import coupon_invalid, priced, stale, stored_quote, used_codes
from target_app.pricing.rule_book import RuleBook
from target_app.pricing.rules import Rules, Tier
from target_app.reservations import Line

if TYPE_CHECKING:
    from target_app.orders.transitions import Change

QUOTED_TIER = "SELECT tier FROM quotes WHERE quote_id = $1 AND coalesce(user_ref, $2) = $2"
AVAILABLE = "SELECT sku, available FROM inventory WHERE sku = ANY($1::text[])"
KEEP = """
WITH priced AS (
    INSERT INTO order_pricing (order_id, quote_id, promotion_version, tier, coupons, subtotal,
                               priced_at)
    VALUES ($1, $2, $3, $4, $5, $6, now())
)
INSERT INTO order_discounts (order_id, rule, step, sku, amount)
SELECT $1, * FROM unnest($7::text[], $8::text[], $9::text[], $10::bigint[])
"""


class Wish(Protocol):
    """What a checkout says about its terms."""

    @property
    def customer(self) -> str: ...
    @property
    def quote_id(self) -> str | None: ...
    @property
    def coupons(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Terms:
    """What an order is made on.

    Attributes:
        quote: Its price, None where no rule could change it.
        gifts: What is given with it.
        missing_gifts: What would be given if there were any left; it never stops an order.
    """

    quote: Quote | None = None
    gifts: tuple[Line, ...] = ()
    missing_gifts: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """Return what the buyer is told of them, in the answer to the checkout."""
        if self.quote is None:
            return {}
        discounts = [
            {"rule": each.rule, "step": each.step, "amount": each.amount}
            for each in self.quote.discounts
        ]
        return {
            "subtotal": self.quote.subtotal,
            "discounts": discounts,
            "total": self.quote.total,
            "promotion_version": self.quote.promotion_version,
            "missing_gifts": list(self.missing_gifts),
        }


async def opens_at(
    connection: Connection, rules: Rules | None, wish: Wish, *, otherwise: datetime | None
) -> datetime | None:
    """Return when this buyer may begin: members with a quote of their own perhaps earlier."""
    if wish.quote_id is None or rules is None:
        return otherwise
    tier: Tier | None = await connection.fetchval(QUOTED_TIER, wish.quote_id, wish.customer)
    return rules.opens_at(tier) if tier else otherwise


async def terms_of(
    change: "Change", rules: Rules | None, wish: Wish, *, lines: Sequence[Line], at: datetime
) -> Terms:
    """Return the terms on which `wish` is made into an order now.

    Gifts that this checkout has tried for in vain are missing, whatever the stock looks like.

    Raises:
        ProblemError: The quote that it rests on no longer holds, or a coupon of it is none.
    """
    if wish.quote_id is None and not wish.coupons and not (rules and rules.promotions):
        return Terms()
    if rules is None:
        raise stale("rules_changed")
    cart = Cart(tuple(CartLine(line.sku, line.qty) for line in lines), wish.coupons)
    quote = await quoted_total(change.connection, wish, cart=cart, rules=rules, at=at)
    wanted: dict[str, int] = {}
    for gift in quote.gifts:
        wanted[gift.sku] = wanted.get(gift.sku, 0) + gift.qty
    rows = await change.connection.fetch(AVAILABLE, list(wanted)) if wanted else []
    left = {row["sku"]: row["available"] for row in rows if row["sku"] not in change.gone_gifts}
    given = tuple(Line(sku, qty) for sku, qty in wanted.items() if left.get(sku, 0) >= qty)
    missing = tuple(sorted(wanted.keys() - {gift.sku for gift in given}))
    return Terms(quote, given, missing)


async def quoted_total(
    connection: Connection, wish: Wish, *, cart: Cart, rules: Rules, at: datetime
) -> Quote:
    """Return the price of `cart` now, which must be the one that was quoted if one was.

    Raises:
        ProblemError: 412 `quote_stale`, with what it would cost now where that is the matter.
    """
    if wish.quote_id is None:
        quote = priced(cart, rules, at=at, tier="standard")
        for coupon in quote.unused_coupons:
            # Nobody has seen this price: it must not be one without what the buyer counted on.
            raise coupon_invalid(coupon)
        return quote
    stored = await stored_quote(connection, wish.quote_id, cart=cart, user_ref=wish.customer)
    if stored["promotion_version"] != rules.version:
        raise stale("rules_changed")
    quote = priced(cart, rules, at=at, tier=stored["tier"])
    if quote.total != stored["total"]:
        raise stale("price_changed", quoted=stored["total"], total=quote.total)
    return quote


async def keep(connection: Connection, terms: Terms, wish: Wish, *, order_id: str) -> None:
    """Write down what the price of an order rests on, and use its coupons up.

    Raises:
        ProblemError: A coupon is used up or has no more for this buyer; roll back.
    """
    if terms.quote is None:
        return
    codes = used_codes(terms.quote)
    if codes:
        await use(connection, codes, user_ref=wish.customer, order_id=order_id)
    cuts = [
        (discount.rule, discount.step, sku, amount)
        for discount in terms.quote.discounts
        for sku, amount in discount.lines.items()
    ]
    columns = [list(column) for column in zip(*cuts, strict=True)] or [[], [], [], []]
    await connection.execute(
        KEEP,
        order_id,
        wish.quote_id,
        terms.quote.promotion_version,
        terms.quote.tier,
        msgspec.json.encode(codes).decode(),
        terms.quote.subtotal,
        *columns,
    )


async def rules_now(connection: Connection, book: RuleBook, version: str | None) -> Rules | None:
    """Return the rules of the sale, None where there is none.

    Raises:
        ProblemError: They have just been replaced.
    """
    if not version:
        return None
    rules = await book.rules(connection, version)
    if rules is None:
        raise stale("rules_changed")
    return rules
