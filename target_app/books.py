"""What the database knows and a scraper wants: stock, holds, open payments, findings, standbys.

Every replica shows the same figures, since they are the database's. They are read when somebody
scrapes and at most once a second, and an outage leaves them as they were; their age tells.
"""

import time

from prometheus_client import CollectorRegistry, Gauge

from target_app.database.pool import Database, UnavailableError
from target_app.database.primary import Connection
from target_app.reconciliation.mismatches import MISMATCHES

MAX_AGE_S = 1.0

STOCK = "SELECT sku, available, reserved, sold FROM inventory"
OPEN_ORDERS = """
SELECT (SELECT count(*) FROM reservations WHERE state = 'active') AS active_holds,
       (SELECT count(*) FROM payments WHERE state IN ('created', 'processing')) AS open_payments
"""
FINDINGS = "SELECT kind, count(*) AS number FROM findings WHERE resolved_at IS NULL GROUP BY kind"
# Only a superuser or pg_monitor sees the positions; without them the lag is unknown, not zero.
REPLICATION = """
SELECT application_name AS standby, extract(epoch FROM replay_lag)::float8 AS lag_s,
       pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 AS lag_bytes
FROM pg_stat_replication WHERE replay_lsn IS NOT NULL
"""


class BookGauges:
    """Gauges of one replica over the shop's tables."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._read_monotonic_s: float | None = None
        self._stock = Gauge(
            "storefront_stock_units", "Units by where they are", ("sku", "state"), registry=registry
        )
        self._holds = Gauge(
            "storefront_active_reservations", "Units on hold, in rows", registry=registry
        )
        self._payments = Gauge(
            "storefront_open_payments", "Payments whose outcome is not known", registry=registry
        )
        self._findings = Gauge(
            "storefront_findings",
            "Differences between the provider's books and ours that stand",
            ("kind",),
            registry=registry,
        )
        self._lag_s = Gauge(
            "pg_replication_lag_seconds",
            "How long ago the standby applied what it last confirmed",
            ("standby",),
            registry=registry,
        )
        self._lag_bytes = Gauge(
            "pg_replication_lag_bytes", "WAL not applied yet", ("standby",), registry=registry
        )
        Gauge(
            "storefront_books_age_seconds",
            "Age of what is read from the database",
            registry=registry,
        ).set_function(self._age_s)

    async def refresh(self, database: Database) -> None:
        """Read the database again unless that was done a moment ago or cannot be done now."""
        if self._age_s() < MAX_AGE_S:
            return
        try:
            async with database.connection() as connection:
                await self._read(connection)
        except UnavailableError:
            return
        self._read_monotonic_s = time.monotonic()

    def _age_s(self) -> float:
        if self._read_monotonic_s is None:
            return float("inf")
        return time.monotonic() - self._read_monotonic_s

    async def _read(self, connection: Connection) -> None:
        stock = await connection.fetch(STOCK)
        orders = await connection.fetchrow(OPEN_ORDERS)
        findings = await connection.fetch(FINDINGS)
        standbys = await connection.fetch(REPLICATION)
        assert orders is not None
        # A new sale has other SKUs and a failover other standbys: forget those of before.
        for gauge in (self._stock, self._lag_s, self._lag_bytes):
            gauge.clear()
        for row in stock:
            for state in ("available", "reserved", "sold"):
                self._stock.labels(row["sku"], state).set(row[state])
        self._holds.set(orders["active_holds"])
        self._payments.set(orders["open_payments"])
        for kind in MISMATCHES:
            self._findings.labels(kind).set(0)
        for row in findings:
            self._findings.labels(row["kind"]).set(row["number"])
        for row in standbys:
            # Nothing to report means that the standby has caught up and is idle.
            self._lag_s.labels(row["standby"]).set(row["lag_s"] or 0.0)
            self._lag_bytes.labels(row["standby"]).set(row["lag_bytes"])
