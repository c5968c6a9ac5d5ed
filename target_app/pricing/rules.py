"""Promotion rules as values: what a sale's author writes, and what stands in the ledger.

Rules of one step add up, except those that share an `exclusive_group`: of these only the one that
is best for the buyer counts. Money is integer minor units; a share of it is rounded down, so a
discount is never more than was promised.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeAlias

import msgspec

Tier = Literal["standard", "silver", "gold", "platinum"]
TIERS: tuple[Tier, ...] = ("standard", "silver", "gold", "platinum")
Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Label: TypeAlias = Annotated[str, msgspec.Meta(max_length=200)]
"""A name that somebody outside of the shop has given: short enough for any index."""
Percent: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=100)]
Minor: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=10**9)]


class Scope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """On what, for whom and when a rule holds; what is not said does not limit."""

    skus: tuple[str, ...] = ()
    tiers: tuple[Tier, ...] = ()
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    title: str | None = None

    def covers(self, sku: str) -> bool:
        return not self.skus or sku in self.skus

    def holds(self, at: datetime, tier: Tier) -> bool:
        if self.tiers and tier not in self.tiers:
            return False
        begun = self.starts_at is None or at >= self.starts_at
        return begun and (self.ends_at is None or at < self.ends_at)


class Off(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much is taken off: a percentage or an amount, one of the two."""

    percent: Percent | None = None
    amount: Annotated[int, msgspec.Meta(ge=1, le=10**12)] | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("give either `percent` or `amount`")

    def of(self, amount: int) -> int:
        """Return what is taken off `amount`, never more than there is."""
        if self.percent is not None:
            return amount * self.percent // 100
        assert self.amount is not None
        return min(self.amount, amount)


class ItemDiscount(Scope, frozen=True, kw_only=True, tag="item_discount", tag_field="kind"):
    """So much off each unit."""

    id: Name
    off: Off
    exclusive_group: str | None = None


class TierStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From the `nth` unit of a line on, so many percent off each."""

    nth: Annotated[int, msgspec.Meta(ge=1)]
    percent: Percent


class QuantityTier(Scope, frozen=True, kw_only=True, tag="quantity_tier", tag_field="kind"):
    """The second at half price: each unit has the percentage of the last step that it reaches."""

    id: Name
    steps: Annotated[tuple[TierStep, ...], msgspec.Meta(min_length=1)]
    exclusive_group: str | None = None


class Threshold(Scope, frozen=True, kw_only=True, tag="threshold", tag_field="kind"):
    """So much off once what is covered comes to `min_amount`, after items and quantities."""

    id: Name
    min_amount: Minor
    off: Off
    exclusive_group: str | None = None


class Gift(Scope, frozen=True, kw_only=True, tag="gift", tag_field="kind"):
    """Units of a SKU of its own, for nothing, once what is to be paid comes to `min_amount`."""

    id: Name
    sku: Name
    qty: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    min_amount: Minor = 0


class EarlyAccess(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="early_access",
    tag_field="kind",
):
    """Members of `tier` may buy, at the campaign's price, so many seconds before everybody."""

    id: Name
    tier: Tier
    lead_s: Annotated[int, msgspec.Meta(ge=1, le=7 * 86_400)]


Promotion: TypeAlias = ItemDiscount | QuantityTier | Threshold | Gift | EarlyAccess


class Coupon(Scope, frozen=True, kw_only=True):
    """A code that a buyer may hold; `usage_limit` and `per_user_limit` count claims.

    Attributes:
        code: What the buyer types.
        stackable: Whether it may be used with other coupons; one that may not is used alone.
        claim_first: Whether it must have been claimed before checkout, or is claimed by using it.
    """

    code: Name
    off: Off
    min_amount: Minor = 0
    stackable: bool = True
    claim_first: bool = False
    usage_limit: Count | None = None
    per_user_limit: Count = 1


class Offer(msgspec.Struct, frozen=True):
    """What the shop asks for one unit of a SKU: in the campaign, and outside of it."""

    price: int
    list_price: int


class Rules(msgspec.Struct, frozen=True):
    """Everything that a price depends on besides the cart, the buyer's tier and the time."""

    version: str
    starts_at: datetime
    ends_at: datetime | None
    offers: Mapping[str, Offer]
    promotions: tuple[Promotion, ...] = ()
    coupons: Mapping[str, Coupon] = {}

    def opens_at(self, tier: Tier) -> datetime:
        """Return when members of `tier` may begin to buy."""
        leads_s = [
            rule.lead_s
            for rule in self.promotions
            if isinstance(rule, EarlyAccess) and rule.tier == tier
        ]
        return self.starts_at - timedelta(seconds=max(leads_s, default=0))

    def in_campaign(self, at: datetime, tier: Tier) -> bool:
        return at >= self.opens_at(tier) and (self.ends_at is None or at < self.ends_at)
