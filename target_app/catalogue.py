"""Products and the campaign as shoppers see them: a snapshot, at most a second old.

Before T0 a crowd reloads these pages; the database should not feel it. Nothing is sold by a
snapshot: the stock endpoint and the checkout ask the database.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from target_app.database.pool import Database
from target_app.instants import rfc3339
from target_app.pricing.rule_book import RuleBook
from target_app.pricing.rules import Gift, ItemDiscount, QuantityTier, Rules, Threshold

CAMPAIGN = "sale"
MAX_AGE_S = 1.0

SNAPSHOT = """
SELECT now() AS at, sale.starts_at, sale.ends_at, sale.preheat_at, sale.promotion_version,
       sale.paused_at IS NOT NULL AS paused, p.sku, p.title, p.price, p.list_price, p.category,
       p.limit_per_user, s.available, s.reserved
FROM (SELECT 1) AS always LEFT JOIN sale ON sale.id = $1
LEFT JOIN products p ON true LEFT JOIN inventory s ON s.sku = p.sku
ORDER BY p.sku
"""


@dataclass(frozen=True)
class Product:
    """A product with what was left of it a moment ago, and what was on hold and may come back."""

    sku: str
    title: str
    price: int
    stock_hint: int
    on_hold: int = 0
    list_price: int | None = None
    category: str | None = None
    limit_per_user: int | None = None

    def badge(self) -> str | None:
        """Return how much less the campaign asks for, as shops print it on the picture."""
        if not self.list_price or self.price >= self.list_price:
            return None
        return f"-{(self.list_price - self.price) * 100 // self.list_price}%"


@dataclass(frozen=True)
class Snapshot:
    """The sale at one instant of the database's clock.

    Attributes:
        taken_at: The database's clock when the snapshot was taken.
        taken_monotonic_s: Ours when it arrived, so that time read from it is never ahead.
        rules: What prices follow, None where no sale was ever started.
    """

    taken_at: datetime
    taken_monotonic_s: float
    starts_at: datetime | None
    ends_at: datetime | None
    products: Mapping[str, Product]
    preheat_at: datetime | None = None
    paused: bool = False
    rules: Rules | None = None

    def now(self) -> datetime:
        return self.taken_at + timedelta(seconds=time.monotonic() - self.taken_monotonic_s)

    def campaign(self) -> dict[str, Any]:
        assert self.starts_at is not None
        return {
            "phase": phase(
                self.now(),
                starts_at=self.starts_at,
                ends_at=self.ends_at,
                preheat_at=self.preheat_at,
                paused=self.paused,
            ),
            "starts_at": rfc3339(self.starts_at),
            "ends_at": rfc3339(self.ends_at) if self.ends_at else None,
        }

    def promotions_on(self, sku: str) -> list[str]:
        """Return what applies to a product beside its price, in the words of its author."""
        return [
            rule.title or rule.id
            for rule in (self.rules.promotions if self.rules else ())
            if isinstance(rule, ItemDiscount | QuantityTier | Threshold | Gift) and rule.covers(sku)
        ]


def phase(
    now: datetime,
    *,
    starts_at: datetime,
    ends_at: datetime | None,
    preheat_at: datetime | None = None,
    paused: bool = False,
) -> str:
    if ends_at is not None and now >= ends_at:
        return "ended"
    if paused:
        return "paused"
    if now >= starts_at:
        return "live"
    return "scheduled" if preheat_at is None or now < preheat_at else "preheat"


class Catalogue:
    """The newest snapshot; however many ask for a newer one at once, one query is made."""

    def __init__(self, database: Database) -> None:
        self.rule_book = RuleBook()
        self._database = database
        self._snapshot: Snapshot | None = None
        self._loading: asyncio.Task[Snapshot] | None = None

    async def snapshot(self) -> Snapshot:
        newest = self._snapshot
        if newest and time.monotonic() - newest.taken_monotonic_s < MAX_AGE_S:
            return newest
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        return await asyncio.shield(self._loading)

    def forget(self) -> None:
        self._snapshot = None

    async def _load(self) -> Snapshot:
        try:
            async with self._database.connection() as connection:
                rows = await connection.fetch(SNAPSHOT, CAMPAIGN)
                arrived_s = time.monotonic()
                version = rows[0]["promotion_version"]
                rules = await self.rule_book.rules(connection, version) if version else None
            self._snapshot = _snapshot(rows, arrived_s=arrived_s, rules=rules)
            return self._snapshot
        finally:
            self._loading = None


def _snapshot(rows: Sequence[asyncpg.Record], *, arrived_s: float, rules: Rules | None) -> Snapshot:
    products = [
        Product(
            sku=row["sku"],
            title=row["title"],
            price=row["price"],
            stock_hint=row["available"],
            on_hold=row["reserved"],
            list_price=row["list_price"],
            category=row["category"],
            limit_per_user=row["limit_per_user"],
        )
        for row in rows
        if row["sku"] is not None
    ]
    return Snapshot(
        taken_at=rows[0]["at"],
        taken_monotonic_s=arrived_s,
        starts_at=rows[0]["starts_at"],
        ends_at=rows[0]["ends_at"],
        products={product.sku: product for product in products},
        preheat_at=rows[0]["preheat_at"],
        paused=rows[0]["paused"],
        rules=rules,
    )
