"""Starting a sale: everything that an earlier one left behind goes."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import msgspec

from target_app.catalogue import CAMPAIGN
from target_app.database.admissions import EMPTY_ADMISSIONS
from target_app.database.offers import EMPTY_OFFERS
from target_app.database.primary import Connection
from target_app.database.reconciliation import EMPTY_RECONCILIATION
from target_app.pricing.linter import Finding, Supply, approved
from target_app.pricing.rule_book import rules_of, store_coupons, store_promotions
from target_app.pricing.rules import Count, Coupon, Instant, Minor, Offer, Promotion, Rules
from target_app.problems import ProblemError

Units: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
YEARS = range(2000, 2201)
"""When sales are: what is far outside of it is a mistake, and no calendar reckons with it."""

EMPTY = """
TRUNCATE sale, products, stock, stock_units, stock_buckets, alerts, orders, order_lines,
         reservations, payments, order_events, idempotency_keys, webhook_events,
         refunds, decisions, outbox, notifications
"""
OPEN = "INSERT INTO sale (id, starts_at, ends_at, preheat_at) VALUES ($1, $2, $3, $4)"
PRODUCTS = """
INSERT INTO products (sku, title, price, list_price, category, limit_per_user)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[])
"""
STOCK = """
INSERT INTO stock (sku, initial, available, low_stock_at)
SELECT sku, units, units, low_stock_at
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS item (sku, units, low_stock_at)
"""


class SaleItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item on sale; `price` in minor units, and from how many units left there is an alert."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    stock: Units
    price: Minor
    title: str | None = None
    low_stock_at: Units | None = None
    list_price: Minor | None = None
    category: str | None = None
    limit_per_user: Count | None = None


class GiftStock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of a SKU that is given and not sold."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    stock: Units


class SaleSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that starts a sale; without `ends_at` it stays open."""

    starts_at: Instant
    items: Annotated[tuple[SaleItem, ...], msgspec.Meta(min_length=1)]
    ends_at: Instant | None = None
    preheat_at: Instant | None = None
    promotions: tuple[Promotion, ...] = ()
    coupons: tuple[Coupon, ...] = ()
    gifts: tuple[GiftStock, ...] = ()

    def __post_init__(self) -> None:
        for instant in (self.starts_at, self.ends_at, self.preheat_at):
            if instant is not None and instant.year not in YEARS:
                raise ValueError(f"expected a year from {YEARS[0]} to {YEARS[-1]}, got {instant}")
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError(f"expected `ends_at` after {self.starts_at}, got {self.ends_at}")


def rules_for(setup: SaleSetup) -> Rules:
    """Return what prices of this sale follow.

    Raises:
        ProblemError: A SKU or a coupon is named twice.
    """
    skus = [item.sku for item in setup.items] + [gift.sku for gift in setup.gifts]
    _refuse_repeated(skus, of="sku")
    _refuse_repeated([coupon.code for coupon in setup.coupons], of="coupon")
    return rules_of(
        starts_at=setup.starts_at,
        ends_at=setup.ends_at,
        offers={
            item.sku: Offer(item.price, item.price if item.list_price is None else item.list_price)
            for item in setup.items
        },
        promotions=setup.promotions,
        coupons=setup.coupons,
    )


def supply_of(setup: SaleSetup) -> Supply:
    return Supply(
        {item.sku: item.stock for item in setup.items},
        {gift.sku: gift.stock for gift in setup.gifts},
    )


def looked_over(setup: SaleSetup) -> tuple[Rules, tuple[Finding, ...]]:
    """Return the rules of a sale and what to be warned of.

    Raises:
        ProblemError: Something about the rules is wrong, each thing with the rule's name.
    """
    rules = rules_for(setup)
    return rules, approved(rules, supply_of(setup))


def _refuse_repeated(names: Sequence[str], *, of: str) -> None:
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        detail = f"each {of} once: {', '.join(repeated)}"
        raise ProblemError(422, "invalid_body", details={"detail": detail})


async def start_sale(connection: Connection, setup: SaleSetup, rules: Rules) -> None:
    skus = [item.sku for item in setup.items]
    await connection.execute(EMPTY)
    await connection.execute(EMPTY_OFFERS)
    await connection.execute(EMPTY_ADMISSIONS)
    await connection.execute(EMPTY_RECONCILIATION)
    await connection.execute(OPEN, CAMPAIGN, setup.starts_at, setup.ends_at, setup.preheat_at)
    titles = [item.title or item.sku for item in setup.items]
    await connection.execute(
        PRODUCTS,
        skus,
        titles,
        [item.price for item in setup.items],
        [item.list_price for item in setup.items],
        [item.category for item in setup.items],
        [item.limit_per_user for item in setup.items],
    )
    await store_coupons(connection, rules.coupons)
    await store_promotions(connection, rules, sale=CAMPAIGN)
    low_stock_at = [item.low_stock_at for item in setup.items]
    await connection.execute(STOCK, skus, [item.stock for item in setup.items], low_stock_at)
    gifts = [gift.sku for gift in setup.gifts]
    units = [gift.stock for gift in setup.gifts]
    await connection.execute(STOCK, gifts, units, [None for _ in gifts])
