"""Checkout on terms: quotes that must still hold, coupons, limits for each buyer, gifts."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from target_app.jobs import expire_holds
from target_app.members.people import tier_of
from target_app.payments.findings import Captured, Charge
from target_app.pricing.rules import Tier
from tests.integration.documented import documented_shop
from tests.integration.running_shop import OPS, Rehearsed
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

HALF = {"kind": "item_discount", "id": "half", "skus": ["HOT"], "off": {"percent": 50}}
NEW20 = {"code": "NEW20", "off": {"amount": 2000}, "min_amount": 5000}
ONE_EACH = [{"sku": "HOT", "stock": 50, "price": 9900, "limit_per_user": 1}]


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def rows(ledger: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    return [row for row in ledger if row["table"] == table]


async def session(run: Rehearsed, customer: str) -> dict[str, str]:
    answer = await run.client.post("/v1/sessions", json={"customer": customer})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def quoted(run: Rehearsed, customer: str | None = None, **wish: Any) -> dict[str, Any]:
    headers = await session(run, customer) if customer else None
    body = {"lines": [{"sku": "HOT", "qty": 1}], **wish}
    answer = await run.client.post("/v1/pricing/quote", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def check_out(run: Rehearsed, key: str, **other: Any) -> httpx.Response:
    return await run.check_out(key, **other)


async def replace_rules(run: Rehearsed, *promotions: dict[str, Any]) -> None:
    url = "/ops/campaigns/sale/promotions"
    answer = await run.client.put(url, json={"promotions": promotions}, headers=OPS)
    assert answer.status_code == 200, answer.text


def somebody(tier: Tier) -> str:
    return next(
        name for name in (f"member-{n}" for n in range(1000)) if tier_of(name, seed=0) == tier
    )


def test_an_order_costs_what_was_quoted(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(promotions=[HALF], coupons=[{**NEW20, "min_amount": 0}])
            quote = await quoted(run, coupons=["NEW20"])
            asked = {"quote_id": quote["quote_id"], "coupons": ["NEW20"]}
            answer = await check_out(run, "k", **asked)
            assert answer.status_code == 201, answer.text
            order = answer.json()
            assert (order["subtotal"], order["total"]) == (9900, 2950)
            assert order["promotion_version"] == quote["promotion_version"]
            assert [(d["rule"], d["amount"]) for d in order["discounts"]] == [
                ("half", 4950),
                ("NEW20", 2000),
            ]
            paid = await run.pay(order["order_id"], "p")
            assert paid.status_code == 200
            assert [charge["amount"] for charge in run.charges(order["order_id"])] == [2950]
            ledger = await run.ledger()
            (kept,) = rows(ledger, "order_pricing")
            assert (kept["quote_id"], kept["subtotal"]) == (quote["quote_id"], 9900)
            assert sum(row["amount"] for row in rows(ledger, "order_discounts")) == 6950
            assert [row["state"] for row in rows(ledger, "coupon_uses")] == ["used"]

    asyncio.run(scenario())


def test_promotions_need_no_quote(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(promotions=[HALF])
            assert (await check_out(run, "k")).json()["total"] == 4950
            await run.sale()
            plain = (await check_out(run, "k")).json()
            assert (plain["subtotal"], plain["discounts"], plain["total"]) == (9900, [], 9900)

    asyncio.run(scenario())


def test_a_quote_that_no_longer_holds_is_stale(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(promotions=[HALF])
            quote = (await quoted(run))["quote_id"]
            mine = (await quoted(run, "member-1"))["quote_id"]
            stale = {
                "unknown": {"quote_id": "q_0"},
                "other_cart": {"quote_id": quote, "lines": {"HOT": 2}},
                "other_customer": {"quote_id": mine, "customer": "member-2"},
            }
            for reason, other in stale.items():
                answer = await check_out(run, "k", **other)
                assert said(answer) == (412, "quote_stale")
                assert answer.json()["reason"] == reason
            await replace_rules(run, {**HALF, "off": {"percent": 40}})
            answer = await check_out(run, "k", quote_id=quote)
            assert (said(answer)[0], answer.json()["reason"]) == (412, "rules_changed")
            await replace_rules(run, HALF)  # the very rules of before are the version of before
            assert (await check_out(run, "k2", quote_id=quote)).json()["total"] == 4950
            await run.age("expires_at", table="quotes", by_s=301)
            answer = await check_out(run, "k3", quote_id=quote)
            assert (said(answer)[0], answer.json()["reason"]) == (412, "expired")
            assert await run.stock() == (9, 1, 0)

    asyncio.run(scenario())


def test_a_price_that_time_has_changed_is_stale(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(promotions=[HALF])
            quote = (await quoted(run))["quote_id"]
            async with run.shop.database.connection() as connection:
                await connection.execute("UPDATE quotes SET total = total - 1")
            answer = await check_out(run, "k", quote_id=quote)
            assert said(answer) == (412, "quote_stale")
            assert (answer.json()["quoted"], answer.json()["total"]) == (4949, 4950)

    asyncio.run(scenario())


def test_members_with_early_access_come_in_before_t0(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            early = {"kind": "early_access", "id": "early", "tier": "gold", "lead_s": 3600}
            await run.sale(starts_in_s=600, promotions=[early])
            for tier, expected in (("gold", 201), ("standard", 403)):
                name = somebody(tier)  # type: ignore[arg-type]
                quote = (await quoted(run, name))["quote_id"]
                answer = await check_out(run, tier, customer=name, quote_id=quote)
                assert answer.status_code == expected, answer.text
            stolen = (await quoted(run, somebody("gold")))["quote_id"]
            assert said(await check_out(run, "s", quote_id=stolen)) == (403, "not_started")
            assert said(await check_out(run, "t")) == (403, "not_started")

    asyncio.run(scenario())


def test_a_buyer_at_once_in_many_tabs_gets_one(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(items=ONE_EACH)
            answers = await asyncio.gather(
                *(check_out(run, f"k{n}", customer=f"buyer-{n % 2}") for n in range(40))
            )
            assert sorted(a.status_code for a in answers) == [201] * 2 + [409] * 38
            refused = {said(a)[1] for a in answers if a.status_code == 409}
            assert refused == {"limit_exceeded"}
            assert await run.stock() == (48, 2, 0)
            assert said(await check_out(run, "two", lines={"HOT": 2}))[1] == "limit_exceeded"

    asyncio.run(scenario())


def test_an_allowance_comes_back_with_its_hold(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(items=ONE_EACH)
            order_id = (await check_out(run, "k1", customer="b")).json()["order_id"]
            assert said(await check_out(run, "k2", customer="b")) == (409, "limit_exceeded")
            for _ in range(2):
                await run.client.post(f"/v1/orders/{order_id}/cancel")
            second = await check_out(run, "k3", customer="b")
            assert second.status_code == 201
            assert said(await check_out(run, "k4", customer="b")) == (409, "limit_exceeded")
            await run.age("expires_at", table="orders", by_s=3600)
            await asyncio.gather(*(expire_holds(run.shop) for _ in range(3)))
            assert (await check_out(run, "k5", customer="b")).status_code == 201
            assert said(await check_out(run, "k6", customer="b")) == (409, "limit_exceeded")

    asyncio.run(scenario())


def test_late_money_does_not_get_around_the_limit(shop_dsn: str, tmp_path: Path) -> None:
    """An order is cancelled, its buyer makes another, then money for the first one arrives."""

    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(items=ONE_EACH)
            orders = []
            for key in ("k1", "k2"):
                orders.append((await check_out(run, key, customer="b")).json()["order_id"])
                await run.client.post(f"/v1/orders/{orders[0]}/cancel")
            charge = Charge(orders[0], "late", 9900, currency="EUR", method="card")
            capture = Captured(psp_ref="ch_late", amount=9900)
            await run.shop.book(charge, capture)
            assert await run.status(orders[0]) == "refund_pending"
            assert await run.stock() == (49, 1, 0)

    asyncio.run(scenario())


def test_ten_coupons_make_ten_cheap_orders(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=100, coupons=[{**NEW20, "usage_limit": 10}])
            answers = await asyncio.gather(
                *(check_out(run, f"k{n}", coupons=["NEW20"]) for n in range(50))
            )
            assert sorted(a.status_code for a in answers) == [201] * 10 + [409] * 40
            assert {said(a)[1] for a in answers if a.status_code == 409} == {"coupon_exhausted"}
            assert {a.json()["total"] for a in answers if a.status_code == 201} == {7900}
            assert await run.stock() == (90, 10, 0)

    asyncio.run(scenario())


def test_a_coupon_is_used_once_and_comes_back(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            coupons = [{**NEW20, "usage_limit": 1, "claim_first": True}]
            await run.sale(stock=100, coupons=coupons)
            mine = {"coupons": ["NEW20"], "customer": "b"}
            assert said(await check_out(run, "k0", **mine)) == (422, "coupon_invalid")
            headers = await session(run, "b")
            claim = await run.client.post("/v1/coupons/NEW20/claim", headers=headers)
            assert claim.status_code == 201
            answers = await asyncio.gather(*(check_out(run, f"k{n}", **mine) for n in range(1, 9)))
            assert sorted(a.status_code for a in answers) == [201] + [422] * 7
            order = next(a.json() for a in answers if a.status_code == 201)
            await run.client.post(f"/v1/orders/{order['order_id']}/cancel")
            assert (await check_out(run, "k9", **mine)).json()["total"] == 7900
            (claimed,) = rows(await run.ledger(), "coupon_claims")
            assert (claimed["claimed"], claimed["used"]) == (1, 1)
            little = await check_out(run, "k10", lines={"BASE": 1}, coupons=["NEW20"])
            assert (said(little), little.json()["reason"]) == (
                (422, "coupon_invalid"),
                "not_reached",
            )

    asyncio.run(scenario())


def test_a_missing_gift_stops_nobody(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            gift = {"kind": "gift", "id": "free", "sku": "A-GIFT", "min_amount": 5000}
            gifts = [{"sku": "A-GIFT", "stock": 4}]
            await run.sale(stock=50, promotions=[gift], gifts=gifts)
            answers = await asyncio.gather(*(check_out(run, f"k{n}") for n in range(5)))
            assert {a.status_code for a in answers} == {201}
            given = [line["sku"] for a in answers for line in a.json()["lines"]]
            assert (given.count("A-GIFT"), given.count("HOT")) == (4, 5)
            assert sorted(len(a.json()["missing_gifts"]) for a in answers) == [0] * 4 + [1]
            assert {a.json()["total"] for a in answers} == {9900}
            assert await run.stock("A-GIFT") == (0, 4, 0)
            assert said(await check_out(run, "g", lines={"A-GIFT": 1})) == (404, "unknown_sku")
            assert "A-GIFT" not in (await run.client.get("/v1/products")).text
            fewer = {each.json()["order_id"] for each in answers}
            for order_id in fewer:
                await run.client.post(f"/v1/orders/{order_id}/cancel")
            assert await run.stock("A-GIFT") == (4, 0, 0)

    asyncio.run(scenario())
