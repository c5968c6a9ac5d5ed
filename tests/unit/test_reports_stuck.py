"""No order waits for ever: what the check must see, and what it must not claim."""

from typing import Any

import pytest

from doorbuster.ledger import LedgerReservation
from reports.checks import no_stuck_order
from reports.evidence import run_of
from tests.unit.reports_fixture import books_read, clock, event
from tests.unit.test_reports_checks import (
    TWO_IN_STOCK,
    UNREAD,
    UNSETTLED,
    Tables,
    asked,
    at,
    placed,
    sale,
    together,
)


def held(n: int, state: str = "active") -> Tables:
    return {"reservations": [LedgerReservation(f"R-{n}", f"O-{n}", "HOT-1", 1, state, at(n))]}


STUCK = {
    "all came to an end": (sale(1, 2), {}, "pass"),
    "nobody knows for ever": (together(sale(1), placed(2, "payment_processing")), {}, "fail"),
    "a hold nobody ends": (together(sale(1), placed(2, "pending_payment"), held(2)), {}, "fail"),
    "money never given back": (together(sale(1), placed(2, "refund_pending")), {}, "fail"),
    "people look into it": (together(sale(1), placed(2, "review")), {}, "pass"),
    "a hold of an order that ended": (together(sale(1), placed(2, "expired"), held(2)), {}, "fail"),
    "a hold of no order": (together(sale(1), held(2)), {}, "fail"),
    "a hold that ended": (together(sale(1), held(2, "released")), {}, "pass"),
    "not at rest": (together(sale(1), placed(2, "payment_processing")), UNSETTLED, "unknown"),
    "unread": (sale(1), UNREAD, "unknown"),
    "no order": ({}, {}, "unknown"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), STUCK.values(), ids=STUCK)
def test_no_stuck_order(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(no_stuck_order, tables, **how).ruling == ruling


@pytest.mark.parametrize(("waited_s", "ruling"), [(24.9, "unknown"), (25.0, "fail")])
def test_what_is_not_at_rest_in_time_is_stuck(waited_s: float, ruling: str) -> None:
    """A hold of 15 s and what the reconciliation needs: by then everything has to be over."""
    tables = together(sale(1), placed(2, "payment_processing"))
    rows = sum(map(len, tables.values())) - len(tables["events"]) - len(tables["charges"])
    unrested = event("stage", "point", "quiesced", 52.0, quiet=False, waited_s=waited_s)
    journal = [clock(), unrested, *books_read(rows, 1)[1:]]
    with run_of(TWO_IN_STOCK, journal, **tables) as run:
        verdict = no_stuck_order(run)
    assert verdict.ruling == ruling
    assert verdict.counts["stuck_orders"] == 1
