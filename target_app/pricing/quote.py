"""A cart that is to be priced, and its price with the reasons for it."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from target_app.pricing.rules import Tier

Step = Literal["item_discount", "quantity_tier", "threshold", "coupon"]


class CartLine(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """So many units of a SKU that somebody would like to have."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    qty: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Cart(msgspec.Struct, frozen=True):
    """What is to be priced: at most one line for each SKU, and the coupons to be used."""

    lines: tuple[CartLine, ...]
    coupons: tuple[str, ...] = ()


class QuotedLine(msgspec.Struct, frozen=True):
    """A line with its share of all discounts; `unit_price` is before them."""

    sku: str
    qty: int
    list_price: int
    unit_price: int
    discount: int
    total: int


class Discount(msgspec.Struct, frozen=True):
    """What one rule took off, and off which lines."""

    rule: str
    step: Step
    title: str
    amount: int
    lines: Mapping[str, int]


class GiftLine(msgspec.Struct, frozen=True):
    """Units that a rule adds for nothing."""

    rule: str
    sku: str
    qty: int


class UnusedCoupon(msgspec.Struct, frozen=True):
    """A coupon that does nothing for this cart, and why."""

    code: str
    reason: Literal["unknown", "not_now", "not_reached", "not_stackable", "nothing_left"]


class Quote(msgspec.Struct, frozen=True):
    """The price of a cart: `subtotal` less all `discounts` is `total`, the sum of the lines'."""

    promotion_version: str
    tier: Tier
    lines: tuple[QuotedLine, ...]
    discounts: tuple[Discount, ...]
    gifts: tuple[GiftLine, ...]
    unused_coupons: tuple[UnusedCoupon, ...]
    subtotal: int
    total: int
