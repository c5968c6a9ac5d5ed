"""Catalogue, members, carts, quotes and coupons over a real Postgres."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from target_app.members.people import tier_of
from target_app.pricing.rules import Tier
from tests.integration.documented import documented_shop
from tests.integration.running_shop import OPS, OVER, Rehearsed
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

HALF = {"kind": "item_discount", "id": "half", "skus": ["HOT"], "off": {"percent": 50}}
NEW20 = {"code": "NEW20", "off": {"amount": 2000}, "min_amount": 5000}


async def session(run: Rehearsed, customer: str) -> dict[str, str]:
    answer = await run.client.post("/v1/sessions", json={"customer": customer})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def quote(run: Rehearsed, headers: dict[str, str] | None = None, **wish: Any) -> Any:
    body = {"lines": [{"sku": "HOT", "qty": 1}], **wish}
    return await run.client.post("/v1/pricing/quote", json=body, headers=headers)


def somebody(tier: Tier) -> str:
    return next(
        name for name in (f"member-{n}" for n in range(1000)) if tier_of(name, seed=0) == tier
    )


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_quote_says_why_and_for_how_long(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(promotions=[HALF], coupons=[NEW20])
            wish = {"lines": [{"sku": "HOT", "qty": 2}], "coupons": ["NEW20"]}
            answer = await quote(run, **wish)
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert (found["subtotal"], found["total"]) == (19800, 7900)
            assert [(d["rule"], d["step"], d["amount"]) for d in found["discounts"]] == [
                ("half", "item_discount", 9900),
                ("NEW20", "coupon", 2000),
            ]
            assert found["quote_id"].startswith("q_")
            assert found["promotion_version"].startswith("1-")
            assert found["expires_at"] > answer.headers["X-Server-Time"]
            assert found["lines"][0]["total"] == 7900

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"lines": [{"sku": "NO-SUCH", "qty": 1}]}, (404, "unknown_sku")),
        ({"lines": [{"sku": "HOT", "qty": 1}] * 2}, (422, "invalid_body")),
        ({"coupons": ["NO-SUCH"]}, (422, "coupon_invalid")),
        ({"coupons": ["OVER"]}, (422, "coupon_invalid")),
        ({"coupons": ["CLAIM-IT"]}, (422, "coupon_invalid")),
        ({"cart_id": "c"}, (422, "invalid_body")),
        ({"lines": None, "cart_id": "c"}, (404, "unknown_cart")),
    ],
)
def test_what_cannot_be_quoted(
    shop_dsn: str, tmp_path: Path, wish: dict[str, Any], expected: tuple[int, str]
) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            over = {"code": "OVER", "off": {"percent": 5}, "ends_at": "2021-01-01T00:00:00Z"}
            first = {"code": "CLAIM-IT", "off": {"percent": 5}, "claim_first": True}
            await run.sale(coupons=[over, first])
            assert said(await quote(run, **wish)) == expected

    asyncio.run(scenario())


def test_the_tier_of_a_session_counts(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            gold_only = {**HALF, "tiers": ["gold"]}
            early = {"kind": "early_access", "id": "early", "tier": "gold", "lead_s": 3600}
            await run.sale(promotions=[gold_only, early])
            prices = {}
            for tier in ("standard", "gold"):
                found = await quote(run, await session(run, somebody(tier)))
                prices[found.json()["tier"]] = found.json()["total"]
            assert prices == {"standard": 9900, "gold": 4950}
            campaign = (await run.client.get("/v1/campaigns/sale")).json()
            assert list(campaign["early_access"]) == ["gold"]
            forged = await quote(run, {"Authorization": "Bearer e30=.sha256=00"})
            assert said(forged) == (401, "invalid_session")

    asyncio.run(scenario())


def test_a_hundred_at_once_claim_ten_coupons(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(coupons=[{**NEW20, "usage_limit": 10}])
            sessions = [await session(run, f"member-{n}") for n in range(100)]
            answers = await asyncio.gather(
                *(run.client.post("/v1/coupons/NEW20/claim", headers=each) for each in sessions)
            )
            assert sorted(a.status_code for a in answers) == [201] * 10 + [409] * 90
            assert {said(a)[1] for a in answers if a.status_code == 409} == {"coupon_exhausted"}
            rows = await run.ledger()
            claims = [row for row in rows if row["table"] == "coupon_claims"]
            assert [row["claimed"] for row in rows if row["table"] == "coupons"] == [10]
            assert [row["claimed"] for row in claims] == [1] * 10
            assert said(await quote(run, coupons=["NEW20"])) == (409, "coupon_exhausted")
            winner = sessions[[a.status_code for a in answers].index(201)]
            assert (await quote(run, winner, coupons=["NEW20"])).json()["total"] == 7900

    asyncio.run(scenario())


def test_one_buyer_at_once_claims_no_more_than_theirs(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(coupons=[{**NEW20, "usage_limit": 50, "per_user_limit": 2}])
            buyer = await session(run, "member-1")
            answers = await asyncio.gather(
                *(run.client.post("/v1/coupons/NEW20/claim", headers=buyer) for _ in range(20))
            )
            assert sorted(a.status_code for a in answers) == [201] * 2 + [409] * 18
            assert {said(a)[1] for a in answers if a.status_code == 409} == {"already_claimed"}
            # A claim that was refused to a buyer is not counted against the coupon either.
            counted = [r["claimed"] for r in await run.ledger() if r["table"] == "coupons"]
            assert counted == [2]
            assert said(await run.client.post("/v1/coupons/NEW20/claim")) == (
                401,
                "session_required",
            )
            unknown = await run.client.post("/v1/coupons/NO-SUCH/claim", headers=buyer)
            assert said(unknown) == (404, "unknown_coupon")

    asyncio.run(scenario())


def test_a_cart_changes_only_from_what_was_seen(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            url = "/v1/carts/c-1/items"

            async def put(**body: Any) -> httpx.Response:
                lines = [{"sku": "HOT", "qty": 1}]
                return await run.client.put(url, json={"lines": lines, **body})

            assert said(await run.client.get(url)) == (404, "unknown_cart")
            tabs = await asyncio.gather(*(put(version=0) for _ in range(5)))
            assert sorted(a.status_code for a in tabs) == [200] + [409] * 4
            tabs = await asyncio.gather(*(put(version=1) for _ in range(5)))
            assert sorted(a.status_code for a in tabs) == [200] + [409] * 4
            refused = next(a for a in tabs if a.status_code == 409)
            assert (said(refused)[1], refused.json()["version"]) == ("cart_changed", 2)
            assert (await quote(run, lines=None, cart_id="c-1")).json()["total"] == 9900
            assert (await put()).json()["version"] == 3
            assert said(await run.client.delete(url, params={"version": 2}))[0] == 409
            emptied = (await run.client.delete(url)).json()
            assert emptied == {"cart_id": "c-1", "version": 4, "lines": []}
            assert said(await put(lines=[{"sku": "NO-SUCH", "qty": 1}])) == (404, "unknown_sku")
            assert said(await put(lines=[{"sku": "HOT", "qty": 1}] * 2)) == (422, "invalid_body")
            assert said(await run.client.delete("/v1/carts/none/items")) == (404, "unknown_cart")

    asyncio.run(scenario())


def test_a_reload_costs_a_304(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            item = {"stock": 5, "price": 6600, "category": "shoes", "limit_per_user": 1}
            items = [{"sku": f"S-{n:02}", "list_price": 9900, **item} for n in range(25)]
            items.append({"sku": "HAT", "stock": 5, "price": 100, "category": "hats"})
            await run.sale(items=items)
            for path in ("/v1/products?category=shoes", "/v1/products/S-01"):
                first = await run.client.get(path)
                tag = first.headers["ETag"]
                again = await run.client.get(path, headers={"If-None-Match": f'"x", W/{tag}'})
                assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
                other = await run.client.get(path, headers={"If-None-Match": '"x"'})
                assert (other.status_code, other.content) == (200, first.content)
            page = (await run.client.get("/v1/products?category=shoes&page=2")).json()
            assert (len(page["products"]), page["pages"], page["total"]) == (5, 2, 25)
            shoe = page["products"][0]
            assert (shoe["sku"], shoe["badge"], shoe["limit_per_user"]) == ("S-20", "-33%", 1)
            assert (await run.client.get("/v1/products?page=9")).json()["products"] == []
            assert (await run.client.get("/v1/products?page=0")).status_code == 422

    asyncio.run(scenario())


def test_a_campaign_is_paused_and_goes_on(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:

            async def phase() -> str:
                return str((await run.client.get("/v1/campaigns/sale")).json()["phase"])

            async def operate(verb: str, campaign: str = "sale") -> httpx.Response:
                return await run.client.post(f"/ops/campaigns/{campaign}/{verb}", headers=OPS)

            assert said(await operate("pause")) == (404, "unknown_campaign")
            await run.sale(starts_in_s=60, preheat_at="2021-01-01T00:00:00Z")
            assert await phase() == "preheat"
            await run.sale()
            assert await phase() == "live"
            for _ in range(2):
                assert (await operate("pause")).status_code == 202
                assert await phase() == "paused"
            assert said(await run.check_out("k")) == (403, "paused")
            assert (await operate("resume")).status_code == 202
            assert (await run.check_out("k")).status_code == 201
            await run.sale(**OVER)
            assert said(await operate("pause")) == (409, "campaign_ended")
            refused = await run.client.post("/ops/campaigns/sale/pause")
            assert said(refused) == (401, "not_an_operator")

    asyncio.run(scenario())


def test_rules_are_looked_over_before_they_count(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(promotions=[HALF])
            url = "/ops/campaigns/sale/promotions"
            gift = {"kind": "gift", "id": "free", "sku": "NO-GIFT"}
            refused = await run.client.put(url, json={"promotions": [gift]}, headers=OPS)
            assert said(refused) == (422, "invalid_rules")
            assert [f["code"] for f in refused.json()["findings"]] == ["gift_without_stock"]
            assert (await quote(run)).json()["total"] == 4950
            late = {**HALF, "ends_at": "2021-01-01T00:00:00Z"}
            taken = await run.client.put(url, json={"promotions": [late]}, headers=OPS)
            assert [f["code"] for f in taken.json()["warnings"]] == ["never_applicable"]
            assert (await quote(run)).json()["total"] == 9900
            versions = {r["version"] for r in await run.ledger() if r["table"] == "promotions"}
            assert len(versions) == 2

    asyncio.run(scenario())


def test_a_sale_with_wrong_rules_does_not_start(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            body = {
                "starts_at": "2021-01-01T00:00:00Z",
                "items": [{"sku": "A", "stock": 1, "price": 1}],
            }
            for wrong, code in (
                ({"promotions": [HALF]}, "invalid_rules"),
                ({"coupons": [NEW20, NEW20]}, "invalid_body"),
                ({"gifts": [{"sku": "A", "stock": 1}]}, "invalid_body"),
                ({"promotions": [{**HALF, "off": {}}]}, "invalid_body"),
            ):
                answer = await run.client.put("/ops/sale", json={**body, **wrong}, headers=OPS)
                assert said(answer) == (422, code), wrong
            assert await run.stock() == (10, 0, 0)

    asyncio.run(scenario())
