"""The sale of a plan: when it opens and closes, and what is on offer."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from doorbuster.anchors import Anchor
from doorbuster.faults import Frozen
from doorbuster.opening import OpensAt
from doorbuster.quantities import Duration, Money, Share

LEAD_MAX_S: Final = 7 * 86_400

SkuPattern = Annotated[str, Field(max_length=64, pattern=r"^([A-Za-z0-9._-]|\{n\})+$")]
"""An SKU, or with `{n}` in it one for each number."""


class Item(Frozen):
    """One SKU, or `count` alike whose `sku` has `{n}` for the number.

    `stock` and `price` are of each SKU; `demand` is the share of shoppers who want any of them.

    Args:
        skew: How unevenly they want the `count` alike, by Zipf's law: the n-th of them 1/n^skew
            times as much as the first; 0 is evenly, 0.99 is what shops see.
        limit_per_user: Units of each SKU that one user may have; without it, any number.
        low_stock_at: The shop sounds an alert when this many units or fewer are left to sell.
    """

    sku: SkuPattern
    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    stock: Annotated[int, Field(ge=0, le=100_000_000)]
    price: Money
    demand: Share
    limit_per_user: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    low_stock_at: Annotated[int, Field(ge=0)] | None = None
    skew: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _numbered(self) -> "Item":
        if (self.count > 1) != ("{n}" in self.sku):
            raise ValueError("expected {n} in `sku` when `count` is above 1, and only then")
        if self.skew and self.count == 1:
            raise ValueError("expected `skew` only where `count` is above 1")
        return self

    @model_validator(mode="after")
    def _low_later(self) -> "Item":
        if self.low_stock_at is not None and self.low_stock_at >= self.stock:
            raise ValueError(
                f"expected `low_stock_at` below `stock` ({self.stock}): "
                f"an alert from the start warns nobody"
            )
        return self

    @property
    def skus(self) -> tuple[str, ...]:
        """The SKUs it stands for."""
        return tuple(self.sku.replace("{n}", str(n)) for n in range(1, self.count + 1))


def _sooner(lead_s: float) -> float:
    if not 1 <= lead_s <= LEAD_MAX_S or lead_s % 1:
        raise ValueError("expected whole seconds, at least 1s and at most seven days")
    return lead_s


Tier = Literal["silver", "gold", "platinum"]
Lead = Annotated[Duration, AfterValidator(_sooner)]


class Sale(Frozen):
    """When the shop sells, and what.

    Args:
        opens_at: T0: an anchor, or for a shop that opens by its own clock a time of day with its
            zone; that is where the baseline ends, or an anchor, written `rush at 20:00+01:00`.
        closes_at: The end, if it has one.
        early_access: How much sooner it opens for members, by their tier.
        items: Demand sums to 100 %.
    """

    opens_at: OpensAt
    closes_at: Anchor | None = None
    early_access: dict[Tier, Lead] = Field({})
    items: Annotated[tuple[Item, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _adds_up(self) -> "Sale":
        total = sum(item.demand for item in self.items)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the items' `demand` sums to {total:.4%}, expected 100%")
        skus = [sku for item in self.items for sku in item.skus]
        twice = sorted({sku for sku in skus if skus.count(sku) > 1}) if len(skus) < 2000 else []
        if twice or len(set(skus)) < len(skus):
            raise ValueError(f"the same SKU twice: {', '.join(twice[:5])}")
        return self
