"""Prices computed again: what the check must see, and what it must not claim."""

from typing import Any

import msgspec
import pytest

from doorbuster.ledger import (
    LedgerCoupon,
    LedgerLine,
    LedgerOffer,
    LedgerOrder,
    LedgerPricing,
    LedgerPromotion,
    LedgerSale,
)
from reports.checks import prices_right
from tests.unit.test_reports_checks import UNREAD, UNSETTLED, Tables, asked, at, together

HALF = {"kind": "item_discount", "id": "half", "off": {"percent": 50}}
TEN = {"code": "TEN", "off": {"amount": 1000}}


def encoded(rule: dict[str, Any]) -> str:
    return msgspec.json.encode(rule).decode()


SHOP: Tables = {
    "sales": [LedgerSale("sale", at(0), at(30), "v1")],
    "offers": [LedgerOffer("HOT-1", 9900, 12000, None)],
    "promotions": [
        LedgerPromotion("v1", "half", "item_discount", msgspec.json.encode(HALF).decode())
    ],
    "coupons": [LedgerCoupon("TEN", encoded(TEN), None, 1, 0)],
}


def plain(n: int, total: int, *, sku: str = "HOT-1", qty: int = 1) -> Tables:
    placed = LedgerOrder(f"O-{n}", f"ref-{n}", f"U-{n}", "paid", total, "EUR", at(n), at(n), 1)
    return {"orders": [placed], "order_lines": [LedgerLine(f"O-{n}", sku, qty, 9900)]}


def by_rules(
    n: int, total: int, *, subtotal: int = 9900, coupons: str = "[]", version: str = "v1"
) -> Tables:
    priced = LedgerPricing(f"O-{n}", None, version, "standard", coupons, subtotal, at(n))
    gift = {"order_lines": [LedgerLine(f"O-{n}", "GIFT", 1, 0)]}
    return together(plain(n, total), gift, {"order_pricing": [priced]})


def early(n: int, *, tier: str) -> Tables:
    """One who ordered `n` seconds into a sale that opens five seconds sooner for gold members."""
    lead = {"kind": "early_access", "id": "early-gold", "tier": "gold", "lead_s": 5}
    sale: Tables = {
        "sales": [LedgerSale("sale", at(10), at(30), "v1")],
        "offers": [LedgerOffer("HOT-1", 9900, 9900, None)],
        "promotions": [LedgerPromotion("v1", "early-gold", "early_access", encoded(lead))],
    }
    priced = LedgerPricing(f"O-{n}", "q", "v1", tier, "[]", 9900, at(10 + n))
    return together(sale, plain(n, 9900), {"order_pricing": [priced]})


RIGHT = {
    "as planned": (plain(1, 9900), {}, "pass"),
    "three of them": (plain(1, 29700, qty=3), {}, "pass"),
    "too dear": (plain(1, 9901), {}, "fail"),
    "too cheap": (plain(1, 0), {}, "fail"),
    "of no known price": (plain(1, 9900, sku="OTHER"), {}, "unknown"),
    "before the sale's end": (together(SHOP, plain(29, 9900)), {}, "pass"),
    "in a shop with two sales": (
        together(SHOP, {"sales": [LedgerSale("next", at(40), at(50), "v1")]}, plain(45, 9900)),
        {},
        "pass",
    ),
    "after the sale's end": (together(SHOP, plain(30, 9900)), {}, "fail"),
    "by its rule": (together(SHOP, by_rules(1, 4950)), {}, "pass"),
    "a rule left out": (together(SHOP, by_rules(1, 9900)), {}, "fail"),
    "by rule and coupon": (together(SHOP, by_rules(1, 3950, coupons='["TEN"]')), {}, "pass"),
    "a coupon nobody used": (together(SHOP, by_rules(1, 3950)), {}, "fail"),
    "at the right price, but after the sale": (
        together(SHOP, by_rules(31, 6000, subtotal=12000)),
        {},
        "fail",
    ),
    "a member, early": (early(-5, tier="gold"), {}, "pass"),
    "a member, too early": (early(-6, tier="gold"), {}, "fail"),
    "a member of another tier, early": (early(-5, tier="silver"), {}, "fail"),
    "at the price of the sale, too late": (together(SHOP, by_rules(31, 4950)), {}, "fail"),
    "by rules that are not there": (by_rules(1, 9900), {}, "unknown"),
    "not at rest": (plain(1, 9900), UNSETTLED, "unknown"),
    "not at rest, but wrong": (plain(1, 9901), UNSETTLED, "fail"),
    "unread": (plain(1, 9900), UNREAD, "unknown"),
    "no order": ({}, {}, "unknown"),
}


@pytest.mark.parametrize(("tables", "how", "ruling"), RIGHT.values(), ids=RIGHT)
def test_prices_right(tables: Tables, how: dict[str, Any], ruling: str) -> None:
    assert asked(prices_right, tables, **how).ruling == ruling


def test_a_wrong_price_names_the_right_one() -> None:
    verdict = asked(prices_right, together(SHOP, by_rules(1, 9900)))
    assert "O-1 costs 99.00, should cost 49.50" in verdict.evidence
    assert verdict.witnesses[0]["price_minor"] == 4950
