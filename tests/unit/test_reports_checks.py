"""Each check on literal histories: what it must see, and what it must not claim."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from doorbuster.journal import JournalEvent
from doorbuster.ledger import (
    LEDGER_TABLES,
    PROVIDER_TABLES,
    LedgerLine,
    LedgerOrder,
    LedgerStock,
    ProviderCharge,
    ProviderRefund,
)
from doorbuster.operations import SECOND, Attempt, OperationEvent
from doorbuster.series import StockSecond
from doorbuster.verdicts import Verdict
from reports.checks import (
    no_double_charge,
    no_order_lost,
    no_orphan_charge,
    no_oversell,
    no_phantom_order,
    one_order_per_key,
    stock_conserved,
)
from reports.evidence import Run, run_of
from tests.unit.reports_fixture import PLAN, books_read, clock, event

Tables = dict[str, list[Any]]

TWO_IN_STOCK = {
    **PLAN,
    "sale": {
        "opens_at": "rush",
        "items": [{"sku": "HOT-1", "stock": 2, "price": "99.00", "demand": "100%"}],
    },
}


def at(second: int) -> str:
    return f"2026-11-23T09:00:{second:02d}Z"


def bought(n: int, *, outcome: Any = "ok", pay: Any = "ok", reason: str | None = None) -> Tables:
    """Return the client's side of purchase `n`; None leaves the completion out."""
    events = [*_operation("reserve", n, outcome, reason)]
    if pay and outcome == "ok":
        events += _operation("pay", n, pay, None)
    return {"events": events}


def _operation(op: str, n: int, outcome: Any, reason: str | None) -> list[OperationEvent]:
    same: dict[str, Any] = {
        "id": f"{op}-{n}",
        "op": op,
        "client_ref": f"ref-{n}",
        "user_ref": f"U-{n}",
        "key": f"{op}-key-{n}",
        "sku": "HOT-1",
        "qty": 1,
    }
    events = [OperationEvent("invoke", at_s=10.0 + n, **same)]
    if outcome != "unfinished":
        order = f"O-{n}" if outcome == "ok" else None
        amount = 9900 if outcome == "ok" else None
        events.append(
            OperationEvent(
                outcome, at_s=10.5 + n, order_id=order, amount=amount, reason=reason, **same
            )
        )
    return events


def placed(n: int, status: str = "paid", *, ref: str | None = None, suffix: str = "") -> Tables:
    """Return the ledger's side of purchase `n`."""
    order = f"O-{n}{suffix}"
    return {
        "orders": [
            LedgerOrder(order, ref or f"ref-{n}", f"U-{n}", status, 9900, "EUR", at(n), at(n), 1)
        ],
        "order_lines": [LedgerLine(order, "HOT-1", 1, 9900)],
    }


def charged(n: int, *, charge: str = "a", amount: int = 9900, state: Any = "captured") -> Tables:
    row = ProviderCharge(f"C-{n}{charge}", f"O-{n}", f"K-{n}", amount, "EUR", state, at(n))
    return {"charges": [row]}


def refunded(n: int, *, charge: str = "a", amount: int = 9900) -> Tables:
    return {"refunds": [ProviderRefund(f"R-{n}{charge}", f"C-{n}{charge}", amount, at(n))]}


def counters(available: int, reserved: int, sold: int, *, initial: int = 2) -> Tables:
    return {"stock": [LedgerStock("HOT-1", initial, 0, available, reserved, sold)]}


def sampled(second: int, available: int, reserved: int, sold: int) -> Tables:
    return {"stock_seconds": [StockSecond(float(second), "HOT-1", 2, available, reserved, sold)]}


def together(*parts: Tables) -> Tables:
    merged: Tables = {}
    for part in parts:
        for name, rows in part.items():
            merged.setdefault(name, []).extend(rows)
    return merged


def sale(*numbers: int) -> Tables:
    """Return purchases that went well on every side."""
    return together(*(together(bought(n), placed(n), charged(n)) for n in numbers))


def journal_of(tables: Tables, *, read: bool, quiet: bool) -> list[JournalEvent]:
    if not read:
        return [clock()]
    ledger = sum(len(tables.get(name, ())) for name in LEDGER_TABLES)
    provider = sum(len(tables.get(name, ())) for name in PROVIDER_TABLES)
    return [clock(), *books_read(ledger, provider, quiet=quiet)]


def asked(
    check: Callable[[Run], Verdict],
    tables: Tables,
    *,
    read: bool = True,
    quiet: bool = True,
    lost: Sequence[JournalEvent] = (),
) -> Verdict:
    """Return what `check` says about literal rows."""
    journal = [*journal_of(tables, read=read, quiet=quiet), *lost]
    with run_of(TWO_IN_STOCK, journal, **tables) as run:
        return check(run)


UNREAD: dict[str, Any] = {"read": False}
UNSETTLED: dict[str, Any] = {"quiet": False}
WORKER_LOST: dict[str, Any] = {"lost": [event("worker", "point", "lost", 20.0, kept=False)]}
LOST_BUT_KEPT: dict[str, Any] = {"lost": [event("worker", "point", "lost", 20.0, kept=True)]}

OVERSELL = {
    "all sold": (sale(1, 2), {}, "pass"),
    "one sold, one held": (
        together(sale(1), bought(2, pay=None), placed(2, "pending_payment")),
        {},
        "pass",
    ),
    "one too many": (sale(1, 2, 3), {}, "fail"),
    "one too many held": (
        together(sale(1, 2), bought(3, pay=None), placed(3, "pending_payment")),
        {},
        "fail",
    ),
    "expired holds nothing": (together(sale(1, 2), placed(3, "expired")), {}, "pass"),
    "unread": (sale(1, 2), UNREAD, "unknown"),
    "unread, but clients paid for more": (sale(1, 2, 3), UNREAD, "fail"),
    "unread, held but not paid": (
        together(sale(1, 2), bought(3, pay=None)),
        UNREAD,
        "unknown",
    ),
    "unread, third payment unknown": (
        together(sale(1, 2), bought(3, pay="info")),
        UNREAD,
        "unknown",
    ),
    "no sale": ({}, {}, "unknown"),
    "not at rest": (sale(1, 2), UNSETTLED, "unknown"),
    "not at rest, but too many": (sale(1, 2, 3), UNSETTLED, "fail"),
    "negative sample": (together(sale(1, 2), sampled(20, -1, 1, 2)), {}, "fail"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), OVERSELL.values(), ids=OVERSELL)
def test_no_oversell(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(no_oversell, tables, **how).ruling == ruling


def test_an_oversell_names_the_first_customers_beyond_the_stock() -> None:
    verdict = asked(no_oversell, sale(4, 1, 3, 2))
    assert [w["user_ref"] for w in verdict.witnesses] == ["U-3", "U-4"]
    assert verdict.counts["units_beyond_stock"] == 2
    assert "HOT-1: 4 units sold or held of 2 in stock, 2 too many" in verdict.evidence


CONSERVED = {
    "adds up": (together(sale(1), counters(1, 0, 1), sampled(12, 1, 1, 0)), {}, "pass"),
    "leaked unit": (together(sale(1), counters(0, 0, 1)), {}, "fail"),
    "counter fine, orders more": (together(sale(1, 2), counters(1, 0, 1)), {}, "fail"),
    "hold without order": (together(sale(1), counters(0, 1, 1)), {}, "fail"),
    "other stock than planned": (together(sale(1), counters(2, 0, 1, initial=3)), {}, "fail"),
    "negative": (together(sale(1, 2), counters(-1, 1, 2)), {}, "fail"),
    "sample off": (together(sale(1), counters(1, 0, 1), sampled(12, 2, 1, 0)), {}, "fail"),
    "sample off, unread": (together(sale(1), sampled(12, 2, 1, 0)), UNREAD, "fail"),
    "unread": (together(sale(1), counters(1, 0, 1)), UNREAD, "unknown"),
    "no stock in the ledger": (sale(1), {}, "unknown"),
    "not at rest": (together(sale(1), counters(1, 0, 1)), UNSETTLED, "unknown"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), CONSERVED.values(), ids=CONSERVED)
def test_stock_conserved(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(stock_conserved, tables, **how).ruling == ruling


def test_the_first_and_the_worst_sample_are_named() -> None:
    samples = together(sampled(12, 3, 0, 0), sampled(13, 9, 0, 0), sampled(14, 4, 0, 0))
    verdict = asked(stock_conserved, together(sale(1), counters(1, 0, 1), samples))
    assert [(w["where"], w["at_s"], w["surplus"]) for w in verdict.witnesses] == [
        ("first sample", 12.0, 1),
        ("worst sample", 13.0, 7),
    ]


LOST = {
    "all there": (sale(1, 2), {}, "pass"),
    "one lost": (together(sale(1), bought(2)), {}, "fail"),
    "confirmed, then another order under the reference": (
        together(sale(1), bought(2), placed(2, suffix="x")),
        {},
        "fail",
    ),
    "paid for, ledger says expired": (together(bought(1), placed(1, "expired")), {}, "fail"),
    "paid for, then refunded": (together(bought(1), placed(1, "refunded")), {}, "pass"),
    "held, then expired": (together(bought(1, pay=None), placed(1, "expired")), {}, "pass"),
    "timed out and absent": (together(sale(1), bought(2, outcome="info")), {}, "pass"),
    "timed out but sold": (together(sale(1), bought(2, outcome="info"), placed(2)), {}, "pass"),
    "unread": (sale(1), UNREAD, "unknown"),
    "unread, so nothing is lost": (bought(1), UNREAD, "unknown"),
    "no sale": ({}, {}, "unknown"),
    "not at rest": (sale(1), UNSETTLED, "unknown"),
    "not at rest, but lost": (together(sale(1), bought(2)), UNSETTLED, "fail"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), LOST.values(), ids=LOST)
def test_no_order_lost(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(no_order_lost, tables, **how).ruling == ruling


def test_a_lost_order_counts_once_with_its_money() -> None:
    verdict = asked(no_order_lost, together(sale(1), bought(2), bought(3)))
    assert (verdict.counts["lost_orders"], verdict.counts["lost_money_minor"]) == (2, 19800)
    assert verdict.witnesses[0]["user_ref"] == "U-2"


def test_what_timed_out_but_sold_was_recovered() -> None:
    tables = together(sale(1), bought(2, outcome="info"), placed(2))
    assert asked(no_order_lost, tables).counts["recovered"] == 1


PHANTOM = {
    "all asked for": (sale(1, 2), {}, "pass"),
    "timed out but sold": (together(bought(1, outcome="info"), placed(1)), {}, "pass"),
    "never answered but sold": (together(bought(1, outcome="unfinished"), placed(1)), {}, "pass"),
    "refused but sold": (
        together(sale(1), bought(2, outcome="fail", reason="sold_out"), placed(2)),
        {},
        "fail",
    ),
    "nobody asked": (together(sale(1), placed(2)), {}, "fail"),
    "asked by a worker that is lost": (together(sale(1), placed(2)), WORKER_LOST, "unknown"),
    "nobody asked, a worker is lost": (together(sale(1), placed(2)), LOST_BUT_KEPT, "fail"),
    "refused but sold, a worker is lost": (
        together(sale(1), bought(2, outcome="fail", reason="sold_out"), placed(2)),
        WORKER_LOST,
        "fail",
    ),
    "no history at all": (placed(1), {}, "unknown"),
    "no order": (bought(1, outcome="fail", reason="sold_out"), {}, "unknown"),
    "unread": (sale(1), UNREAD, "unknown"),
    "not at rest": (sale(1), UNSETTLED, "unknown"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), PHANTOM.values(), ids=PHANTOM)
def test_no_phantom_order(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(no_phantom_order, tables, **how).ruling == ruling


def retried(*orders: str) -> Tables:
    """Return a reserve whose attempts were answered with `orders`."""
    tries = tuple(Attempt("ok", 12.0, 11.0, order_id=order) for order in orders)
    invoke, done = bought(1, pay=None)["events"]
    answered = OperationEvent(
        "ok",
        done.id,
        done.op,
        12.0,
        client_ref=done.client_ref,
        key=done.key,
        order_id=orders[-1],
        amount=9900,
        attempts=tries,
    )
    return {"events": [invoke, answered]}


def doubled(one: str, other: str, *, same_key: bool = True) -> Tables:
    """Return a reserve that was sent twice at once, answered with these orders."""
    events = []
    for suffix, order in (("", one), (SECOND, other)):
        tries = (Attempt("ok", 12.0, 11.0, order_id=order),)
        key = "key" if same_key else f"key{suffix}"
        told: dict[str, Any] = {"op": "reserve", "client_ref": "ref-1", "key": key}
        events += [
            OperationEvent("invoke", f"1-0{suffix}", at_s=11.0, **told),
            OperationEvent("ok", f"1-0{suffix}", at_s=12.0, order_id=order, attempts=tries, **told),
        ]
    return {"events": events}


ONE_PER_KEY = {
    "doubled, same order": (together(doubled("O-1", "O-1"), placed(1)), {}, "pass"),
    "doubled, other order": (together(doubled("O-1", "O-9"), placed(1)), {}, "fail"),
    "doubled, two keys": (
        together(doubled("O-1", "O-9", same_key=False), placed(1)),
        {},
        "pass",
    ),
    "one each": (sale(1, 2), {}, "pass"),
    "retried, same order": (together(retried("O-1", "O-1"), placed(1)), {}, "pass"),
    "retried, other order": (together(retried("O-1", "O-9"), placed(1)), {}, "fail"),
    "retried, other order, unread": (retried("O-1", "O-9"), UNREAD, "fail"),
    "two orders of one reference": (together(sale(1), placed(1, suffix="b")), {}, "fail"),
    "no order": ({}, {}, "unknown"),
    "unread": (sale(1), UNREAD, "unknown"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), ONE_PER_KEY.values(), ids=ONE_PER_KEY)
def test_one_order_per_key(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(one_order_per_key, tables, **how).ruling == ruling


TWICE = together(sale(1), charged(1, charge="b"))

DOUBLE = {
    "one each": (sale(1, 2), {}, "pass"),
    "twice": (TWICE, {}, "fail"),
    "twice, one refunded": (together(TWICE, refunded(1, charge="b")), {}, "pass"),
    "twice, one refunded in part": (
        together(TWICE, refunded(1, charge="b", amount=100)),
        {},
        "fail",
    ),
    "declined, then captured": (
        together(sale(1), charged(1, charge="d", state="declined")),
        {},
        "pass",
    ),
    "another amount": (together(bought(1), placed(1), charged(1, amount=9800)), {}, "fail"),
    "refunded in part": (
        together(placed(1, "partially_refunded"), charged(1), refunded(1, amount=100)),
        {},
        "pass",
    ),
    "refunded in part, unknown to the shop": (
        together(placed(1), charged(1), refunded(1, amount=100)),
        {},
        "fail",
    ),
    "authorized, not captured": (
        together(sale(1), placed(2, "authorized"), charged(2, state="authorized")),
        {},
        "pass",
    ),
    "twice, not at rest": (TWICE, UNSETTLED, "unknown"),
    "no charge": (together(bought(1), placed(1)), {}, "unknown"),
    "unread": (sale(1), UNREAD, "unknown"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), DOUBLE.values(), ids=DOUBLE)
def test_no_double_charge(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(no_double_charge, tables, **how).ruling == ruling


ORPHAN = {
    "paired": (sale(1, 2), {}, "pass"),
    "no such order": (together(sale(1), charged(2)), {}, "fail"),
    "order expired": (together(sale(1), placed(2, "expired"), charged(2)), {}, "fail"),
    "order expired, refunded": (
        together(sale(1), placed(2, "expired"), charged(2), refunded(2)),
        {},
        "pass",
    ),
    "refunded in part": (
        together(placed(1, "partially_refunded"), charged(1), refunded(1, amount=100)),
        {},
        "pass",
    ),
    "free order": (together(sale(1), placed(2)), {}, "fail"),
    "paid order, charge refunded": (together(sale(1), refunded(1)), {}, "fail"),
    "unpaid order, no charge": (together(sale(1), placed(2, "expired")), {}, "pass"),
    "still processing, not at rest": (
        together(sale(1), placed(2, "payment_processing"), charged(2)),
        UNSETTLED,
        "unknown",
    ),
    "still processing at rest": (
        together(sale(1), placed(2, "payment_processing"), charged(2)),
        {},
        "fail",
    ),
    "nothing": ({}, {}, "unknown"),
    "unread": (sale(1), UNREAD, "unknown"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), ORPHAN.values(), ids=ORPHAN)
def test_no_orphan_charge(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(no_orphan_charge, tables, **how).ruling == ruling


def test_a_ledger_with_fewer_rows_than_were_read_is_no_evidence() -> None:
    tables = sale(1, 2)
    journal = [clock(), *books_read(99, 2)]
    with run_of(TWO_IN_STOCK, journal, **tables) as run:
        verdict = no_order_lost(run)
    assert (verdict.ruling, verdict.evidence) == (
        "unknown",
        "the shop's ledger is cut: 4 of 99 rows are there",
    )
