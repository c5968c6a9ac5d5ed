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

CAMPAIGN = "sale"
MAX_AGE_S = 1.0

SNAPSHOT = """
SELECT now() AS at, sale.starts_at, sale.ends_at, p.sku, p.title, p.price, s.available
FROM (SELECT 1) AS always LEFT JOIN sale ON sale.id = $1
LEFT JOIN products p ON true LEFT JOIN stock s ON s.sku = p.sku
ORDER BY p.sku
"""


@dataclass(frozen=True)
class Product:
    """A product with what was left of it a moment ago."""

    sku: str
    title: str
    price: int
    stock_hint: int


@dataclass(frozen=True)
class Snapshot:
    """The sale at one instant of the database's clock.

    Attributes:
        taken_at: The database's clock when the snapshot was taken.
        taken_monotonic_s: Ours when it arrived, so that time read from it is never ahead.
    """

    taken_at: datetime
    taken_monotonic_s: float
    starts_at: datetime | None
    ends_at: datetime | None
    products: Mapping[str, Product]

    def now(self) -> datetime:
        return self.taken_at + timedelta(seconds=time.monotonic() - self.taken_monotonic_s)

    def campaign(self) -> dict[str, Any]:
        assert self.starts_at is not None
        return {
            "phase": phase(self.now(), starts_at=self.starts_at, ends_at=self.ends_at),
            "starts_at": rfc3339(self.starts_at),
            "ends_at": rfc3339(self.ends_at) if self.ends_at else None,
        }


def phase(now: datetime, *, starts_at: datetime, ends_at: datetime | None) -> str:
    if now < starts_at:
        return "scheduled"
    return "live" if ends_at is None or now < ends_at else "ended"


class Catalogue:
    """The newest snapshot; however many ask for a newer one at once, one query is made."""

    def __init__(self, database: Database) -> None:
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
            self._snapshot = _snapshot(rows)
            return self._snapshot
        finally:
            self._loading = None


def _snapshot(rows: Sequence[asyncpg.Record]) -> Snapshot:
    products = [
        Product(row["sku"], row["title"], row["price"], row["available"])
        for row in rows
        if row["sku"] is not None
    ]
    return Snapshot(
        taken_at=rows[0]["at"],
        taken_monotonic_s=time.monotonic(),
        starts_at=rows[0]["starts_at"],
        ends_at=rows[0]["ends_at"],
        products={product.sku: product for product in products},
    )
