"""A realistic run directory, made of literal rules and the same every time.

A small shop with 120 hot units: shoppers view, reserve and pay; payments are slow from second 14
to 20; the database is lost at 30 s and back at 34 s.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from hdrh.histogram import HdrHistogram

from doorbuster.journal import JournalEvent
from doorbuster.ledger import (
    LedgerLine,
    LedgerOrder,
    LedgerReservation,
    LedgerStock,
    ProviderCharge,
)
from doorbuster.operations import Attempt, OperationEvent
from doorbuster.plan import Plan
from doorbuster.rundir import RunDirectory
from doorbuster.series import (
    GeneratorSecond,
    OperationSecond,
    ProcessSecond,
    ReplicationSecond,
    StockSecond,
)

ZERO_S = 1000.0
STOCK = 120
PRICE = 9900
PER_SECOND = 10
DOWN_S = (30.0, 34.0)
SLOW_S = (14.0, 20.0)

PLAN: dict[str, Any] = {
    "name": "fixture",
    "description": "slow payments, then the database fails over",
    "seed": 7,
    "sale": {
        "opens_at": "rush",
        "items": [{"sku": "HOT-1", "stock": STOCK, "price": "99.00", "demand": "100%"}],
    },
    "traffic": {
        "arrivals": [
            {"phase": "baseline", "for": "10s", "rate": "10/s"},
            {"phase": "rush", "for": "15s", "rate": "10/s"},
            {"phase": "plateau", "for": "25s", "rate": "10/s"},
        ],
        "timeout": "2s",
    },
    "faults": [
        {"at": "rush+4s", "for": "6s", "on": "payments", "latency": {"delay": "2s"}},
        {"at": "plateau+5s", "on": "postgres", "failover": {"detection": "2s"}},
    ],
    "good_within": {"pay": "1s"},
    "budgets": [
        "p99(reserve) <= 800ms during rush outside faults",
        "errors <= 1% outside faults",
        'recovery("payments latency") <= 10s',
        'recovery("postgres failover") <= 10s',
    ],
    "stop": ["errors > 60% for 30s"],
}


def event(kind: Any, edge: Any, name: str, at_s: float, /, **detail: Any) -> JournalEvent:
    """Return a journal event at `at_s` on the run's clock."""
    return JournalEvent(
        kind, edge, name, f"2026-11-23T09:00:{at_s % 60:05.2f}Z", ZERO_S + at_s, detail
    )


def clock() -> JournalEvent:
    return event("clock", "point", "zero", -5.0, zero_monotonic_s=ZERO_S)


def books_read(rows: int, provider_rows: int, *, quiet: bool = True) -> list[JournalEvent]:
    """Return the events of a complete final read."""
    return [
        event("stage", "point", "quiesced", 52.0, quiet=quiet, waited_s=1.0),
        event("stage", "begin", "final read", 52.1),
        event("stage", "point", "ledger read", 52.2, rows=rows),
        event("stage", "point", "provider read", 52.3, rows=provider_rows),
        event("stage", "end", "final read", 52.4),
    ]


def journal(rows: int, provider_rows: int) -> list[JournalEvent]:
    """Return the journal of a run that went as planned."""
    failover = "postgres failover"
    steps = {
        "primary ended": 30.1,
        "detected": 32.1,
        "fenced": 32.2,
        "standby freed": 32.3,
        "promoted": 33.1,
        "first write": 33.6,
    }
    return [
        event("run", "begin", "fixture", -9.0),
        event("stage", "begin", "stack", -9.0),
        event("stage", "end", "stack", -5.5),
        clock(),
        event("stage", "begin", "traffic", -3.0),
        event("phase", "begin", "baseline", 0.0),
        event("gate", "point", "baseline", 10.0, passed=True, steady_share=1.0, reason=""),
        event("phase", "end", "baseline", 10.0),
        event("phase", "begin", "rush", 10.0),
        event("fault", "begin", "payments latency", 14.0, on="payments", kind="latency"),
        event("fault", "active", "payments latency", 14.05),
        event("fault", "end", "payments latency", 20.0),
        event("fault", "lifted", "payments latency", 20.05),
        event("phase", "end", "rush", 25.0),
        event("phase", "begin", "plateau", 25.0),
        event("fault", "begin", failover, 30.0, on="postgres", kind="failover"),
        event("fault", "active", failover, 30.1),
        event("fault", "end", failover, 32.1),
        *(event("step", "point", step, at_s, fault=failover) for step, at_s in steps.items()),
        event("fault", "lifted", failover, 33.7),
        event("note", "point", "pager rang", 40.0),
        event("phase", "end", "plateau", 50.0),
        event("stage", "end", "traffic", 51.0),
        *books_read(rows, provider_rows),
        event("run", "end", "fixture", 53.0),
        event("stage", "point", "clean", 55.5),
    ]


@dataclass
class Shop:
    """Acts out the shoppers and keeps every book."""

    events: list[OperationEvent] = field(default_factory=list)
    seconds: dict[tuple[int, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    latencies: dict[tuple[int, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    orders: list[LedgerOrder] = field(default_factory=list)
    charges: list[ProviderCharge] = field(default_factory=list)

    def visit(self, arrival: int, due_s: float) -> None:
        """Let one shopper look, reserve and pay."""
        down = DOWN_S[0] <= due_s < DOWN_S[1]
        self._count(due_s, "view", "info" if down else "ok", 2.0 if down else 0.020)
        ref, at_s = f"fixture-{arrival}-1", due_s + 0.2
        if due_s < 10:
            self._effect(arrival, "reserve", at_s, ref, "fail", "not_started", 0.010)
            return
        if down:
            self._effect(arrival, "reserve", at_s, ref, "info", "timeout", 2.0)
            return
        if len(self.orders) >= STOCK:
            self._effect(arrival, "reserve", at_s, ref, "fail", "sold_out", 0.008)
            return
        took_s = 0.030 + (arrival % 7) * 0.004
        order = self._order(arrival, ref)
        self._effect(arrival, "reserve", at_s, ref, "ok", None, took_s, order)
        slow = SLOW_S[0] <= due_s < SLOW_S[1]
        pay_s = 2.05 if slow else 0.055
        self._effect(arrival, "pay", at_s + took_s + 0.3, ref, "ok", None, pay_s, order)

    def _order(self, arrival: int, ref: str) -> str:
        order = f"O-{arrival}"
        created = f"2026-11-23T09:00:{arrival / PER_SECOND:09.6f}Z"
        self.orders.append(
            LedgerOrder(order, ref, f"U-{arrival}", "paid", PRICE, "EUR", created, created, 3)
        )
        self.charges.append(
            ProviderCharge(f"C-{arrival}", order, f"K-{arrival}", PRICE, "EUR", "captured", created)
        )
        return order

    def _effect(  # noqa: PLR0917
        self,
        arrival: int,
        op: str,
        due_s: float,
        ref: str,
        outcome: Any,
        reason: str | None,
        took_s: float,
        order: str | None = None,
    ) -> None:
        same: dict[str, Any] = {
            "id": f"{arrival}-{op}",
            "op": op,
            "due_s": due_s,
            "arrival": arrival,
            "client_ref": ref,
            "user_ref": f"U-{arrival}",
            "key": f"{ref}-{op}",
            "sku": "HOT-1",
            "qty": 1,
        }
        ended_s = due_s + took_s
        attempt = Attempt(outcome, ended_s, due_s, reason, order_id=order)
        self.events.append(OperationEvent("invoke", at_s=due_s, **same))
        self.events.append(
            OperationEvent(
                outcome,
                at_s=ended_s,
                reason=reason,
                order_id=order,
                amount=PRICE if order else None,
                attempts=(attempt,),
                **same,
            )
        )
        refused = reason in ("sold_out", "not_started")
        self._count(due_s, op, "refused" if refused else outcome, took_s)

    def _count(self, due_s: float, op: str, column: str, took_s: float) -> None:
        within = took_s <= 1.0 and column in ("ok", "refused")
        row = self.seconds[int(due_s // 1), op]
        row["due"] += 1
        row[column] += 1
        row["served"] += within
        row["good"] += within and column == "ok"
        for kind in ("intended", "service"):
            self.latencies[int(due_s // 1), f"{op}.{kind}"].append(int(took_s * 1e6))


def write_run(path: Path) -> RunDirectory:
    """Write the run's directory at `path` and return it."""
    run = RunDirectory(path)
    run.create()
    shop = Shop()
    for arrival in range(50 * PER_SECOND):
        shop.visit(arrival, arrival / PER_SECOND)
        shop.latencies[arrival // PER_SECOND, "lateness"].append(400 + arrival % 5 * 100)
    run.plan.write_bytes(
        msgspec.json.encode(
            {
                "schema": 1,
                "plan": Plan.model_validate(PLAN).model_dump(
                    mode="json", by_alias=True, exclude_none=True
                ),
                "source": "fixture",
                "hash": "f00d",
            }
        )
    )
    run.environment.write_bytes(
        msgspec.json.encode(
            {
                "schema": 1,
                "git": {"commit": "abc1234", "dirty": False},
                "cores": 2,
                "proxy": "embedded",
            }
        )
    )
    rows = _write_books(run, shop)
    write_lines(run.journal, journal(*rows))
    write_lines(run.operations / "0.ndjson", shop.events)
    _write_series(run, shop)
    write_histograms(run.latency / "0.hlog", shop.latencies)
    return run


def write_lines(path: Path, rows: Sequence[msgspec.Struct]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def write_histograms(path: Path, latencies: dict[tuple[int, str], list[int]]) -> None:
    """Write an interval log in the generator's form."""
    lines = ["#[Histogram log format version 1.3]\n"]
    for (second, tag), values_us in sorted(latencies.items()):
        histogram = HdrHistogram(1, 60_000_000, 3)
        for value_us in values_us:
            histogram.record_value(value_us)
        encoded = histogram.encode().decode()
        lines.append(f"Tag={tag},{second},1.000,{max(values_us) / 1e6:.3f},{encoded}\n")
    path.write_text("".join(lines))


def _write_books(run: RunDirectory, shop: Shop) -> tuple[int, int]:
    lines = [LedgerLine(order.order_id, "HOT-1", 1, PRICE) for order in shop.orders]
    holds = [
        LedgerReservation(f"R-{o.order_id}", o.order_id, "HOT-1", 1, "claimed", o.created_at)
        for o in shop.orders
    ]
    sold = len(shop.orders)
    write_lines(run.ledger / "orders.ndjson", shop.orders)
    write_lines(run.ledger / "order_lines.ndjson", lines)
    write_lines(run.ledger / "reservations.ndjson", holds)
    stock = LedgerStock("HOT-1", STOCK, 0, STOCK - sold, 0, sold)
    write_lines(run.ledger / "stock.ndjson", [stock])
    write_lines(run.provider / "charges.ndjson", shop.charges)
    return 3 * sold + 1, sold


def _write_series(run: RunDirectory, shop: Shop) -> None:
    write_lines(
        run.series / "operations-0.ndjson",
        [OperationSecond(s, op, **row) for (s, op), row in sorted(shop.seconds.items())],
    )
    write_lines(
        run.series / "generator-0.ndjson",
        [GeneratorSecond(s, PER_SECOND, PER_SECOND, 0, 12, 0.2) for s in range(50)],
    )
    placed = sorted(int(order.order_id[2:]) / PER_SECOND for order in shop.orders)
    stock = []
    for second in range(52):
        sold = sum(1 for at_s in placed if at_s <= second)
        stock.append(StockSecond(second + 0.1, "HOT-1", STOCK, STOCK - sold, 0, sold))
    write_lines(run.series / "stock.ndjson", stock)
    write_lines(
        run.series / "replication.ndjson",
        [ReplicationSecond(s + 0.2, "postgres-a", 800, 0.002) for s in range(30)],
    )
    write_lines(
        run.series / "processes.ndjson",
        [
            ProcessSecond(s + 0.3, component, 0.1 + s % 5 * 0.05, 90_000_000)
            for s in range(50)
            for component in ("storefront-1", "postgres-a", "postgres-b", "provider")
        ],
    )
