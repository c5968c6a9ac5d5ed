"""Checks that a level makes impossible: listed, no verdict, and never a way out of a fail."""

import msgspec
import pytest

from doorbuster.operations import OperationEvent
from reports.evidence import run_of
from reports.judging import judged
from tests.unit.reports_fixture import PLAN, books_read, clock, event
from tests.unit.test_reports_checks import bought, placed, together

BOOKS = {"no_oversell", "stock_conserved", "limits_held", "no_stuck_order"}
BOTH_SIDES = {"no_order_lost", "no_phantom_order", "one_order_per_key"}
MONEY = {"no_double_charge", "no_orphan_charge"}
PLAIN = {name: value for name, value in PLAN.items() if name not in ("faults", "budgets")}


def judged_with(offers, *events):
    journal = [event("stage", "point", "shop", -9, name="x", offers=offers), clock()]
    with run_of(PLAIN, journal, events=events) as run:
        return judged(run)


@pytest.mark.parametrize(
    ("offers", "impossible"),
    [
        ("", BOOKS | BOTH_SIDES | MONEY),
        ("operations client_ref", BOOKS | BOTH_SIDES | MONEY),
        ("operations ledger", BOTH_SIDES | MONEY),
        ("operations client_ref ledger", MONEY),
        ("operations client_ref ledger provider faults", set()),
    ],
)
def test_what_a_level_lacks_makes_checks_impossible(offers, impossible):
    answer = judged_with(offers)
    asked = {verdict.name for verdict in answer.verdicts}
    assert impossible <= set(answer.impossible)
    assert not asked & set(answer.impossible)
    assert (BOOKS | BOTH_SIDES | MONEY) - impossible <= asked
    assert "generator_healthy" in asked


def test_what_is_broken_all_the_same_stays_broken():
    """Without books: more paid than there was, as the shop's own customers were told."""
    sold = []
    for number in range(121):
        ref = f"r{number}"
        for op in ("reserve", "pay"):
            told = {"op": op, "client_ref": ref, "at_s": 1.0}
            sold.append(OperationEvent("invoke", f"{op}{ref}", sku="HOT-1", qty=1, **told))
            sold.append(OperationEvent("ok", f"{op}{ref}", **told))
    answer = judged_with("operations", *sold)
    oversold = next(v for v in answer.verdicts if v.name == "no_oversell")
    assert oversold.ruling == "fail"
    assert "no_oversell" not in answer.impossible
    assert "no_order_lost" in answer.impossible


@pytest.mark.parametrize(
    ("offers", "ruling"), [("operations ledger", None), ("operations client_ref ledger", "fail")]
)
def test_orders_without_our_reference_are_not_taken_for_phantoms(offers, ruling):
    """Three honest orders of a shop whose ledger has no column for what clients call them."""
    tables = together(*(bought(n, pay=None) for n in range(3)), *(placed(n) for n in range(3)))
    orders = [msgspec.structs.replace(order, client_ref="") for order in tables.pop("orders")]
    journal = [event("stage", "point", "shop", -9, name="x", offers=offers), clock()]
    with run_of(PLAIN, [*journal, *books_read(6, 0)], orders=orders, **tables) as run:
        answer = judged(run)
    rulings = {verdict.name: verdict.ruling for verdict in answer.verdicts}
    for name in ("no_phantom_order", "one_order_per_key"):
        assert rulings.get(name) == ruling
        assert (name in answer.impossible) == (ruling is None)


def test_a_run_that_does_not_say_is_judged_by_all():
    with run_of(PLAIN, [clock()]) as run:
        assert judged(run).impossible == {}
