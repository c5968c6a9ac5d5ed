"""The sale of a plan: when it opens and closes, and what is on offer."""

from typing import Annotated

from pydantic import Field, model_validator

from doorbuster.anchors import Anchor
from doorbuster.faults import Frozen
from doorbuster.quantities import Money, Share

SkuPattern = Annotated[str, Field(max_length=64, pattern=r"^([A-Za-z0-9._-]|\{n\})+$")]
"""An SKU, or with `{n}` in it one for each number."""


class Item(Frozen):
    """One SKU, or `count` alike whose `sku` has `{n}` for the number.

    `stock` and `price` are of each SKU; `demand` is the share of shoppers who want any of them.
    """

    sku: SkuPattern
    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    stock: Annotated[int, Field(ge=0, le=100_000_000)]
    price: Money
    demand: Share

    @model_validator(mode="after")
    def _numbered(self) -> "Item":
        if (self.count > 1) != ("{n}" in self.sku):
            raise ValueError("expected {n} in `sku` when `count` is above 1, and only then")
        return self

    @property
    def skus(self) -> tuple[str, ...]:
        """The SKUs it stands for."""
        return tuple(self.sku.replace("{n}", str(n)) for n in range(1, self.count + 1))


class Sale(Frozen):
    """When the shop sells, and what."""

    opens_at: Anchor
    closes_at: Anchor | None = None
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
