"""Stock that nobody can buy: what the check must see, and what it must not claim."""

from typing import Any

import pytest

from doorbuster.ledger import LedgerEvent, LedgerLine, LedgerOrder
from doorbuster.operations import OperationEvent
from reports.checks import no_lost_stock
from reports.evidence import run_of
from tests.unit.reports_fixture import books_read, clock, event
from tests.unit.test_reports_checks import (
    TWO_IN_STOCK,
    UNREAD,
    UNSETTLED,
    Tables,
    asked,
    counters,
    together,
)


def wall(second: int) -> str:
    return f"2026-11-23T09:{second // 60:02d}:{second % 60:02d}Z"


def order(n: int, *, made_s: int, ended_s: int | None = None, known: bool = True) -> Tables:
    """Return an order that its client has confirmed; from `ended_s` on it is expired."""
    status = "paid" if ended_s is None else "expired"
    made = wall(made_s)
    tables: Tables = asked_for(n, made_s, "ok") if known else {}
    tables |= {
        "orders": [LedgerOrder(f"O-{n}", f"ref-{n}", "U", status, 9900, "EUR", made, made, 1)],
        "order_lines": [LedgerLine(f"O-{n}", "HOT-1", 1, 9900)],
    }
    if ended_s is not None:
        ended = LedgerEvent(f"O-{n}", 2, "pending_payment", "expired", wall(ended_s))
        tables["order_events"] = [ended]
    return tables


def asked_for(n: int, at_s: int, outcome: Any, reason: str | None = None) -> Tables:
    same: dict[str, Any] = {
        "id": f"r{n}",
        "op": "reserve",
        "client_ref": f"ref-{n}",
        "sku": "HOT-1",
    }
    done = OperationEvent(outcome, at_s=at_s + 0.5, reason=reason, **same)
    return {"events": [OperationEvent("invoke", at_s=at_s - 0.5, qty=1, **same), done]}


def refused(n: int, at_s: int) -> Tables:
    return asked_for(n, at_s, "fail", "sold_out")


NOTHING_LEFT = counters(0, 0, 2)
ONE_LEFT = counters(1, 0, 1)
BOTH = together(order(1, made_s=60), order(2, made_s=61))
CAME_BACK = together(order(1, made_s=60), order(2, made_s=61, ended_s=100))

LOST = {
    "all sold, others refused": (together(BOTH, refused(3, 70), NOTHING_LEFT), {}, "pass"),
    "refused while one was held": (together(CAME_BACK, refused(3, 80), ONE_LEFT), {}, "pass"),
    "refused as it came back": (together(CAME_BACK, refused(3, 104), ONE_LEFT), {}, "pass"),
    "refused long after": (together(CAME_BACK, refused(3, 120), ONE_LEFT), {}, "fail"),
    "refused while it was free": (
        together(order(1, made_s=60), refused(3, 61), ONE_LEFT),
        {},
        "fail",
    ),
    "refused before it was sold": (together(BOTH, refused(3, 40), NOTHING_LEFT), {}, "fail"),
    "who has the other one is unknown": (
        together(order(1, made_s=60), asked_for(2, 61, "info"), refused(3, 90), ONE_LEFT),
        {},
        "pass",
    ),
    "an order that was lost": (
        together(order(1, made_s=60), asked_for(2, 61, "ok"), refused(3, 90), ONE_LEFT),
        {},
        "pass",
    ),
    "nobody was refused": (together(order(1, made_s=60), ONE_LEFT), {}, "pass"),
    "a unit nobody has": (together(order(1, made_s=60), counters(0, 0, 1)), {}, "fail"),
    "a unit still reserved": (together(order(1, made_s=60), counters(0, 1, 1)), {}, "fail"),
    "not at rest": (together(order(1, made_s=60), counters(0, 1, 1)), UNSETTLED, "unknown"),
    "not at rest, but untrue": (
        together(CAME_BACK, refused(3, 120), ONE_LEFT),
        UNSETTLED,
        "fail",
    ),
    "no stock in the ledger": (order(1, made_s=60), {}, "unknown"),
    "unread": (together(CAME_BACK, refused(3, 120), ONE_LEFT), UNREAD, "unknown"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), LOST.values(), ids=LOST)
def test_no_lost_stock(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(no_lost_stock, tables, **how).ruling == ruling


def test_a_shop_with_another_clock_is_judged_by_its_orders() -> None:
    tables = together(CAME_BACK, refused(3, 80), ONE_LEFT)
    made = ("2026-11-23T05:01:00Z", "2026-11-23T05:01:01Z")
    hours_ago = [
        LedgerOrder(o.order_id, o.client_ref, "U", o.status, 9900, "EUR", then, then, 1)
        for o, then in zip(tables["orders"], made, strict=True)
    ]
    ended = LedgerEvent("O-2", 2, "pending_payment", "expired", "2026-11-23T05:01:40Z")
    tables |= {"orders": hours_ago, "order_events": [ended]}
    assert asked(no_lost_stock, tables).ruling == "pass"
    tables = together(tables, refused(4, 120))
    assert asked(no_lost_stock, tables).ruling == "fail"


def test_orders_dated_every_which_way_prove_nothing() -> None:
    tables = together(*(order(n, made_s=60 + n) for n in (1, 2, 3)), refused(9, 120), ONE_LEFT)
    tables["orders"][2] = order(3, made_s=900)["orders"][0]
    verdict = asked(no_lost_stock, tables)
    assert (verdict.ruling, verdict.evidence) == (
        "unknown",
        "the shop dates 1 order at other times than its clients",
    )


def test_a_refusal_during_a_fault_is_no_evidence() -> None:
    tables = together(CAME_BACK, refused(3, 120), ONE_LEFT)
    rows = sum(len(tables[name]) for name in ("orders", "order_lines", "order_events", "stock"))
    fault = [
        event("fault", "begin", "outage", 118.0, on="postgres", kind="down"),
        event("fault", "lifted", "outage", 119.0),
    ]
    with run_of(TWO_IN_STOCK, [clock(), *fault, *books_read(rows, 0)], **tables) as run:
        assert no_lost_stock(run).ruling == "pass"
