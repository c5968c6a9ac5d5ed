"""Prices worked out by hand, the linter's findings, tiers and tokens."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from target_app.lint_rules import lint_rules
from target_app.members.people import Member, tier_of
from target_app.members.tokens import InvalidTokenError, issued, member_in
from target_app.pricing.linter import Supply, lint
from target_app.pricing.pricing import UnknownSkuError, percent_points, price
from target_app.pricing.quote import Cart, CartLine, Quote
from target_app.pricing.rule_book import rules_of
from target_app.pricing.rules import Coupon, Offer, Promotion, QuantityTier, Rules, Tier

T0 = datetime(2026, 11, 23, 10, tzinfo=UTC)
OFFERS = {"A": Offer(1000, 1500), "B": Offer(333, 333), "C": Offer(1, 1)}


def rules(*promotions: dict[str, Any], coupons: tuple[dict[str, Any], ...] = ()) -> Rules:
    return rules_of(
        starts_at=T0,
        ends_at=T0 + timedelta(hours=1),
        offers=OFFERS,
        promotions=[msgspec.convert(each, Promotion) for each in promotions],
        coupons=[msgspec.convert(each, Coupon) for each in coupons],
    )


def priced(
    known: Rules,
    *coupons: str,
    at_s: float = 0,
    tier: Tier = "standard",
    **quantities: int,
) -> Quote:
    cart = Cart(tuple(CartLine(sku, qty) for sku, qty in quantities.items()), coupons)
    return price(cart, known, T0 + timedelta(seconds=at_s), tier)


def item(name: str, percent: int, **other: Any) -> dict[str, Any]:
    return {"kind": "item_discount", "id": name, "off": {"percent": percent}, **other}


def amount(name: str, off: int, **other: Any) -> dict[str, Any]:
    """Take so much off A."""
    return {"kind": "item_discount", "id": name, "off": {"amount": off}, "skus": ["A"], **other}


def threshold(name: str, min_amount: int, amount: int, **other: Any) -> dict[str, Any]:
    off = {"amount": amount}
    return {"kind": "threshold", "id": name, "min_amount": min_amount, "off": off, **other}


def steps(name: str, *pairs: tuple[int, int], **other: Any) -> dict[str, Any]:
    listed = [{"nth": nth, "percent": percent} for nth, percent in pairs]
    return {"kind": "quantity_tier", "id": name, "steps": listed, **other}


def coupon(code: str, amount: int, **other: Any) -> dict[str, Any]:
    return {"code": code, "off": {"amount": amount}, **other}


@pytest.mark.parametrize(
    ("promotions", "quantities", "total"),
    [
        ([], {"A": 2, "B": 1}, 2333),
        ([item("i", 50)], {"A": 1, "B": 1}, 500 + 167),  # half of 333 is 166 off, rounded down
        ([item("i", 30), item("j", 10)], {"A": 1}, 600),
        (
            [item("i", 30, exclusive_group="g"), item("j", 10, exclusive_group="g")],
            {"A": 1},
            700,
        ),
        # Exclusive for each line: each has the better of those that cover it.
        (
            [
                item("i", 30, exclusive_group="g", skus=["A"]),
                item("j", 10, exclusive_group="g"),
            ],
            {"A": 1, "B": 1},
            700 + 300,
        ),
        ([steps("second", (2, 50))], {"A": 2}, 1500),
        ([steps("second", (2, 50))], {"A": 3}, 2000),
        ([steps("more", (2, 50), (3, 100))], {"A": 4}, 1500),
        ([threshold("t", 2000, 300)], {"A": 2}, 1700),
        ([threshold("t", 2001, 300)], {"A": 2}, 2000),
        # What an earlier step leaves is what counts for a threshold.
        ([threshold("t", 2000, 300), item("i", 10)], {"A": 2}, 1800),
        ([threshold("t", 1000, 100), threshold("u", 2000, 300)], {"A": 2}, 1600),
        (
            [
                threshold("t", 1000, 100, exclusive_group="g"),
                threshold("u", 2000, 300, exclusive_group="g"),
            ],
            {"A": 2},
            1700,
        ),
        ([threshold("t", 0, 99999)], {"A": 1}, 0),
        ([item("i", 50, tiers=["gold"])], {"A": 1}, 1000),
        ([item("i", 50, ends_at="2026-11-23T10:00:00Z")], {"A": 1}, 1000),
        ([item("i", 50, starts_at="2026-11-23T10:00:00Z")], {"A": 1}, 500),
    ],
)
def test_prices_by_hand(
    promotions: list[dict[str, Any]], quantities: dict[str, int], total: int
) -> None:
    assert priced(rules(*promotions), **quantities).total == total


@pytest.mark.parametrize(
    ("at_s", "tier", "expected"),
    [
        (-61, "gold", 1500),
        (-60, "gold", 1000),
        (-60, "standard", 1500),
        (0, "standard", 1000),
        (3600, "gold", 1500),
    ],
)
def test_the_campaigns_price_is_for_the_campaign(at_s: int, tier: Tier, expected: int) -> None:
    early = {"kind": "early_access", "id": "e", "tier": "gold", "lead_s": 60}
    assert priced(rules(early), at_s=at_s, tier=tier, A=1).total == expected


def test_a_discount_is_shared_out_by_largest_remainder() -> None:
    quote = priced(rules(threshold("t", 0, 100)), A=1, B=1, C=1)
    assert {line.sku: line.discount for line in quote.lines} == {"A": 75, "B": 25, "C": 0}
    assert quote.total == 1334 - 100


def test_the_best_use_of_coupons_is_made_and_the_rest_explained() -> None:
    known = rules(
        coupons=(
            coupon("X", 100),
            coupon("Y", 50),
            coupon("ALONE", 120, stackable=False),
            coupon("BIG", 5, min_amount=9999),
        )
    )
    both = priced(known, "X", "Y", "ALONE", "BIG", "NO", A=1)
    assert both.total == 850
    reasons = {each.code: each.reason for each in both.unused_coupons}
    assert reasons == {"ALONE": "not_stackable", "BIG": "not_reached", "NO": "unknown"}
    alone = priced(known, "X", "ALONE", A=1)
    assert alone.total == 880
    assert [(each.code, each.reason) for each in alone.unused_coupons] == [("X", "not_stackable")]


def test_gifts_depend_on_what_is_to_be_paid() -> None:
    gift = {"kind": "gift", "id": "g", "sku": "TOY", "qty": 2, "min_amount": 900}
    known = rules(gift, coupons=(coupon("X", 200),))
    assert [(each.sku, each.qty) for each in priced(known, A=1).gifts] == [("TOY", 2)]
    assert not priced(known, "X", A=1).gifts


def test_what_cannot_be_priced() -> None:
    with pytest.raises(UnknownSkuError, match="NO-SUCH"):
        priced(rules(), **{"NO-SUCH": 1})
    twice = Cart((CartLine("A", 1), CartLine("A", 2)))
    with pytest.raises(ValueError, match="one line"):
        price(twice, rules(), T0, "standard")


@pytest.mark.parametrize("off", [{}, {"percent": 5, "amount": 5}, {"percent": 101}])
def test_a_discount_is_one_thing(off: dict[str, int]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"kind": "item_discount", "id": "i", "off": off}, Promotion)


def test_steps_are_reached_in_order() -> None:
    rule = msgspec.convert(steps("s", (3, 100), (2, 50)), QuantityTier)
    assert [percent_points(rule, qty) for qty in range(1, 6)] == [0, 50, 150, 250, 350]


def test_a_version_is_that_of_the_content() -> None:
    one, other = item("i", 10), item("j", 20)
    assert rules(one, other).version == rules(other, one).version
    assert rules(one).version != rules(item("i", 11)).version
    assert rules(one).version != rules(one, coupons=(coupon("X", 1, min_amount=1),)).version


SUPPLY = Supply({"A": 5, "B": 5, "C": 0}, {"TOY": 1, "GONE": 0})


@pytest.mark.parametrize(
    ("promotions", "coupons", "expected"),
    [
        ([item("i", 100)], (), []),
        ([item("i", 5), threshold("i", 10, 5)], (), [("i", "error", "duplicate_id")]),
        ([item("i", 5, skus=["NO"])], (), [("i", "error", "unknown_sku")]),
        (
            [item("i", 5, starts_at="2026-11-24T00:00:00Z")],
            (),
            [("i", "warning", "never_applicable")],
        ),
        (
            [item("i", 5, exclusive_group="g"), item("j", 6, exclusive_group="g")],
            (),
            [("j", "warning", "exclusive_overlap")],
        ),
        (
            [
                item("i", 5, exclusive_group="g", skus=["A"]),
                item("j", 6, exclusive_group="g", skus=["B"]),
            ],
            (),
            [],
        ),
        (
            [
                item("i", 5, exclusive_group="g", ends_at="2026-11-23T10:30:00Z"),
                item("j", 6, exclusive_group="g", starts_at="2026-11-23T10:30:00Z"),
            ],
            (),
            [],
        ),
        ([item("i", 60), item("j", 41)], (), [("j", "error", "negative_price")]),
        ([item("i", 60, tiers=["gold"]), item("j", 60, tiers=["silver"])], (), []),
        (
            [item("i", 60, ends_at="2026-11-23T10:30:00Z"), item("j", 60, tiers=["gold"])],
            (),
            [("j", "error", "negative_price")],
        ),
        (
            [item("i", 60, exclusive_group="g", skus=["A"]), item("j", 40)],
            (),
            [],
        ),
        (
            [{"kind": "item_discount", "id": "i", "off": {"amount": 1001}, "skus": ["A"]}],
            (),
            [("i", "error", "negative_price")],
        ),
        ([amount("i", 600), amount("j", 600)], (), [("j", "error", "negative_price")]),
        ([amount("i", 600), item("j", 60)], (), [("j", "error", "negative_price")]),
        ([amount("i", 600), item("j", 40)], (), []),
        ([amount("i", 600, tiers=["gold"]), amount("j", 600, tiers=["silver"])], (), []),
        (
            [amount("i", 600, exclusive_group="g"), amount("j", 600, exclusive_group="g")],
            (),
            [("j", "warning", "exclusive_overlap")],
        ),
        ([steps("r", (1, 60)), steps("s", (1, 60))], (), [("s", "error", "negative_price")]),
        ([steps("r", (2, 90)), steps("s", (2, 90))], (), [("s", "error", "negative_price")]),
        ([steps("r", (2, 60)), steps("s", (2, 60))], (), []),
        ([amount("i", 600), steps("s", (1, 90))], (), []),
        ([threshold("t", 100, 101)], (), [("t", "error", "negative_price")]),
        (
            [threshold("t", 100, 60), threshold("u", 110, 60)],
            (),
            [("u", "error", "negative_price")],
        ),
        (
            [
                threshold("t", 100, 60, exclusive_group="g"),
                threshold("u", 110, 70, exclusive_group="g"),
            ],
            (),
            [],
        ),
        (
            [
                threshold("t", 100, 60, exclusive_group="g"),
                threshold("u", 110, 60, exclusive_group="g"),
            ],
            (),
            [("u", "warning", "unreachable_tier")],
        ),
        ([threshold("t", 99999, 5)], (), [("t", "warning", "unreachable_tier")]),
        ([steps("s", (6, 10))], (), [("s", "warning", "unreachable_tier")]),
        ([steps("s", (2, 10), (2, 20))], (), [("s", "error", "ambiguous_tier")]),
        (
            [{"kind": "gift", "id": "g", "sku": "NO"}],
            (),
            [("g", "error", "gift_without_stock")],
        ),
        (
            [{"kind": "gift", "id": "g", "sku": "GONE"}],
            (),
            [("g", "warning", "gift_without_stock")],
        ),
        ([{"kind": "gift", "id": "g", "sku": "TOY"}], (), []),
        ([], (coupon("X", 5, min_amount=99999),), [("X", "warning", "never_applicable")]),
        ([], (coupon("X", 5),), [("X", "warning", "free_of_charge")]),
        (
            [],
            (coupon("X", 5, min_amount=5, usage_limit=1, per_user_limit=2),),
            [("X", "warning", "limit_above_total")],
        ),
    ],
)
def test_the_linter_names_the_rule(
    promotions: list[dict[str, Any]],
    coupons: tuple[dict[str, Any], ...],
    expected: list[tuple[str, str, str]],
) -> None:
    found = lint(rules(*promotions, coupons=coupons), SUPPLY)
    exact = [(each.rule, each.severity, each.code) for each in found]
    assert exact == expected
    assert all(each.message for each in found)


def test_tiers_follow_from_names_and_are_shared_out_as_said() -> None:
    tiers = [tier_of(f"member-{n}", seed=0) for n in range(2000)]
    assert tiers == [tier_of(f"member-{n}", seed=0) for n in range(2000)]
    assert tiers != [tier_of(f"member-{n}", seed=1) for n in range(2000)]
    for tier, percent in {"platinum": 2, "gold": 8, "silver": 20, "standard": 70}.items():
        assert abs(tiers.count(tier) / 20 - percent) < 3, tier  # type: ignore[arg-type]


def test_a_token_is_good_for_its_shop_and_its_time() -> None:
    member = Member("somebody", "gold", "returning")
    token = issued(member, secret="s", expires_s=100)
    assert member_in(token, secret="s", now_s=99) == member
    body, _dot, signature = token.partition(".")
    for bad, secret, now_s in (
        (token, "s", 100),
        (token, "t", 99),
        (body, "s", 99),
        (f"{body[:-4]}AAAA.{signature}", "s", 99),
        ("", "s", 99),
    ):
        with pytest.raises(InvalidTokenError):
            member_in(bad, secret=secret, now_s=now_s)


@pytest.mark.parametrize(
    ("promotions", "code", "said"),
    [
        ([item("i", 50)], 0, ""),
        ([threshold("t", 99999, 5)], 0, "warning: t: "),
        ([threshold("t", 1, 5)], 1, "error: t: "),
        ([{"kind": "none"}], 2, "Invalid value 'none'"),
    ],
)
def test_rules_are_linted_from_a_file(
    tmp_path: Path, promotions: list[dict[str, Any]], code: int, said: str
) -> None:
    file = tmp_path / "sale.json"
    body = {
        "starts_at": T0,
        "items": [{"sku": "A", "stock": 9, "price": 1000}],
        "promotions": promotions,
    }
    file.write_bytes(msgspec.json.encode(body))
    out = io.StringIO()
    assert lint_rules(file, out=out) == code
    assert said in out.getvalue()
    assert bool(out.getvalue()) == bool(said)


@pytest.mark.parametrize("ends_at", [T0, T0 - timedelta(seconds=1)])
def test_a_sale_ends_after_it_has_begun(tmp_path: Path, ends_at: datetime) -> None:
    file = tmp_path / "sale.json"
    body = {"starts_at": T0, "ends_at": ends_at, "items": [{"sku": "A", "stock": 9, "price": 1}]}
    file.write_bytes(msgspec.json.encode(body))
    out = io.StringIO()
    assert lint_rules(file, out=out) == 2
    assert f"expected `ends_at` after {T0}, got {ends_at}" in out.getvalue()
