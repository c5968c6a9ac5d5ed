"""Limits for each buyer: what the check must see, and what it must not claim."""

from typing import Any

import pytest

from doorbuster.ledger import (
    LedgerCoupon,
    LedgerCouponClaim,
    LedgerCouponUse,
    LedgerDiscount,
    LedgerLine,
    LedgerOffer,
    LedgerOrder,
)
from reports.checks import limits_held
from tests.unit.test_reports_checks import UNREAD, UNSETTLED, Tables, asked, at, together


def order(n: int, user: str, *, status: str = "paid", qty: int = 1, code: str = "") -> Tables:
    """Return an order of `user`, with a coupon that took something off where `code` is given."""
    placed = LedgerOrder(f"O-{n}", f"ref-{n}", user, status, 9900, "EUR", at(n), at(n), 1)
    tables: Tables = {"orders": [placed], "order_lines": [LedgerLine(f"O-{n}", "HOT-1", qty, 9900)]}
    if code:
        tables["order_discounts"] = [LedgerDiscount(f"O-{n}", code, "HOT-1", "coupon", 100)]
    return tables


def used(n: int, user: str, state: str = "used") -> Tables:
    return {"coupon_uses": [LedgerCouponUse(f"O-{n}", "NEW", user, state)]}


def claimed(user: str, times: int) -> Tables:
    return {"coupon_claims": [LedgerCouponClaim("NEW", user, times, 0, at(1))]}


ONE_EACH: Tables = {"offers": [LedgerOffer("HOT-1", 9900, 9900, 1)]}
COUPON: Tables = {"coupons": [LedgerCoupon("NEW", "{}", 2, 1, 0)]}

HELD = {
    "one each": (together(ONE_EACH, order(1, "a"), order(2, "b")), {}, "pass"),
    "two of one buyer": (together(ONE_EACH, order(1, "a"), order(2, "a")), {}, "fail"),
    "two at once": (together(ONE_EACH, order(1, "a", qty=2)), {}, "fail"),
    "one held, one paid": (
        together(ONE_EACH, order(1, "a"), order(2, "a", status="pending_payment")),
        {},
        "fail",
    ),
    "the first came back": (
        together(ONE_EACH, order(1, "a", status="cancelled"), order(2, "a")),
        {},
        "pass",
    ),
    "no limit": (together(order(1, "a"), order(2, "a")), {}, "pass"),
    "a coupon each": (
        together(COUPON, order(1, "a", code="NEW"), used(1, "a"), order(2, "b"), used(2, "b")),
        {},
        "pass",
    ),
    "a coupon twice": (
        together(COUPON, order(1, "a"), used(1, "a"), order(2, "a"), used(2, "a")),
        {},
        "fail",
    ),
    "a coupon twice, once without a note": (
        together(COUPON, order(1, "a", code="NEW"), used(1, "a"), order(2, "a", code="NEW")),
        {},
        "fail",
    ),
    "a coupon that came back": (
        together(
            COUPON,
            order(1, "a", status="expired", code="NEW"),
            used(1, "a", "returned"),
            order(2, "a", code="NEW"),
            used(2, "a"),
        ),
        {},
        "pass",
    ),
    "more users than coupons": (
        together(COUPON, *(together(order(n, f"u{n}"), used(n, f"u{n}")) for n in (1, 2, 3))),
        {},
        "fail",
    ),
    "claims of one buyer": (together(COUPON, order(1, "a"), claimed("a", 2)), {}, "fail"),
    "claims of all": (
        together(COUPON, order(1, "a"), *(claimed(user, 1) for user in "abc")),
        {},
        "fail",
    ),
    "not at rest": (together(ONE_EACH, order(1, "a")), UNSETTLED, "unknown"),
    "not at rest, but too many": (together(ONE_EACH, order(1, "a", qty=2)), UNSETTLED, "fail"),
    "unread": (together(ONE_EACH, order(1, "a")), UNREAD, "unknown"),
    "no order": (ONE_EACH, {}, "unknown"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), HELD.values(), ids=HELD)
def test_limits_held(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(limits_held, tables, **how).ruling == ruling


def test_who_has_too_many_is_named() -> None:
    tables = together(ONE_EACH, order(1, "b"), order(2, "a", qty=3), order(3, "a"))
    verdict = asked(limits_held, tables)
    assert "a has 4 of HOT-1, where 1 are allowed" in verdict.evidence
    assert verdict.witnesses[0]["user_ref"] == "a"
