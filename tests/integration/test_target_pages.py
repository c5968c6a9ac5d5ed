"""The pages as they arrive: each state of a sale and of an order, read without JavaScript."""

import asyncio
import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from target_app.catalogue import Catalogue
from target_app.database.pool import Database
from target_app.database.primary import Primary
from tests.integration.page_visitor import Reading, shop_on_port
from tests.integration.running_shop import OPS, OVER, Rehearsed
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

NOBODYS_PORT = 1
HOSTILE = '"><script>alert("1")</script>&amp;'


async def read(visitor: httpx.AsyncClient, path: str, *, status: int = 200) -> Reading:
    answer = await visitor.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    for inlined in re.findall(
        r"<(?:script|style)>(.*?)</(?:script|style)>", answer.text, re.DOTALL
    ):
        digest = base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy, "the browser would refuse it"
    reading = Reading(answer.text)
    for tag, attributes in reading.elements:
        assert not {"src", "onclick", "style"} & attributes.keys(), tag
        assert (attributes.get("href") or "/").startswith(("/", "data:,")), "nothing from elsewhere"
    return reading


def nowhere() -> Database:
    dsn = f"postgresql://postgres@127.0.0.1:{NOBODYS_PORT}/none"
    primary = Primary((dsn,), application="test", connect_timeout_s=0.5)
    return Database(primary, size=1, acquire_timeout_s=0.5)


async def nothing(_run: Rehearsed) -> None:
    """Leave the sale as it is."""


async def paused(run: Rehearsed) -> None:
    assert (await run.client.post("/ops/campaigns/sale/pause", headers=OPS)).status_code == 202


async def bought_up(run: Rehearsed) -> None:
    await run.check_out("all", lines={"HOT": 10})
    run.shop.catalogue.forget()


@pytest.mark.parametrize(
    ("sale", "then", "words"),
    [
        ({"starts_in_s": 3590}, nothing, (["Opens in 00:59:", "10 left"], ["On sale now"])),
        ({}, nothing, (["On sale now", "10 left", "Quantity"], ["Opens in", "Sold out"])),
        ({}, bought_up, (["Sold out"], ["On sale now", "left", "Quantity"])),
        ({}, paused, (["The sale is paused"], ["On sale now", "Sold out"])),
        (OVER, nothing, (["The sale has ended"], ["On sale now", "Quantity", "left"])),
    ],
    ids=["before", "live", "sold out", "paused", "ended"],
)
def test_an_item_says_what_its_sale_is_doing(
    shop_dsn: str, tmp_path: Path, sale: Any, then: Any, words: Any
) -> None:
    async def scenario() -> None:
        async with shop_on_port(shop_dsn, tmp_path) as (run, visitor):
            await run.sale(**sale)
            await then(run)
            page = await read(visitor, "/sale/HOT")
            seen, unseen = words
            assert [each for each in ("99.00 EUR", *seen) if each not in page.seen] == []
            assert [each for each in unseen if each in page.seen] == []

    asyncio.run(scenario())


def test_the_front_lists_the_items_of_the_campaign(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop_on_port(shop_dsn, tmp_path) as (run, visitor):
            assert "No sale yet" in (await read(visitor, "/")).seen
            await read(visitor, "/sale/HOT", status=404)
            await run.sale()
            await bought_up(run)
            front = await read(visitor, "/")
            assert "On sale now" in front.seen
            assert "BASE 100 1.00 EUR HOT sold out 99.00 EUR" in front.seen
            hrefs = [attributes.get("href") for tag, attributes in front.elements if tag == "a"]
            assert hrefs == ["/", "/sale/BASE", "/sale/HOT"]

    asyncio.run(scenario())


def test_what_shops_and_buyers_write_is_text_and_never_markup(
    shop_dsn: str, tmp_path: Path
) -> None:
    item = {
        "sku": f"A/B {HOSTILE}",
        "title": HOSTILE,
        "category": HOSTILE,
        "stock": 5,
        "price": 250,
    }
    offer = {"list_price": 1000, "limit_per_user": 2}

    async def scenario() -> None:
        async with shop_on_port(shop_dsn, tmp_path) as (run, visitor):
            await run.sale(items=[item | offer])
            front = await read(visitor, "/")
            assert HOSTILE in front.seen
            path = next(a["href"] for tag, a in front.elements if tag == "a" and a["href"] != "/")
            page = await read(visitor, str(path))
            assert page.seen.count(HOSTILE) == 2
            assert "2.50 EUR 10.00 EUR -75%" in page.seen
            assert "5 left, 2 for each buyer" in page.seen
            marked = next(a for tag, a in page.elements if tag == "main")
            assert marked["data-sku"] == item["sku"]
            made = await run.check_out("k", lines={str(item["sku"]): 2})
            order = await read(visitor, f"/orders/{made.json()['order_id']}/page")
            assert f"{HOSTILE} 2 5.00 EUR" in order.seen
            assert [tag for tag, _ in order.elements].count("script") == 1

    asyncio.run(scenario())


def test_an_order_says_where_it_stands(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with shop_on_port(shop_dsn, tmp_path) as (run, visitor):
            await run.sale()
            order_id = await run.ordered("k")
            path = f"/orders/{order_id}/page"
            waiting = (await read(visitor, path)).seen
            assert re.search(
                r"Waiting for payment The units are yours for another 00:(10|09):", waiting
            )
            assert "Pay 99.00 EUR" in waiting
            assert (await run.pay(order_id, "p")).status_code == 200
            paid = (await read(visitor, path)).seen
            assert "Paid Thank you." in paid
            assert "Pay 99.00 EUR" not in paid
            assert paid.index("Ordered") < paid.index("Payment under way") < paid.rindex("Paid")

            late = await run.ordered("late")
            await run.age("expires_at", table="orders", by_s=3600)
            assert "Expired It was not paid" in (await read(visitor, f"/orders/{late}/page")).seen
            assert "Nothing here" in (await read(visitor, "/orders/o_none/page", status=404)).seen

    asyncio.run(scenario())


def test_a_payment_that_nobody_knows_of_yet_asks_for_patience(
    shop_dsn: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with shop_on_port(shop_dsn, tmp_path) as (run, visitor):
            await run.sale()
            order_id = await run.ordered("k")
            run.behave(mode="timeout_before")
            assert (await run.pay(order_id, "p")).status_code == 202
            page = await read(visitor, f"/orders/{order_id}/page")
            assert "Payment under way" in page.seen
            assert "Do not pay again" in page.seen

    asyncio.run(scenario())


def test_a_shop_without_its_database_says_so_and_is_asked_again(
    shop_dsn: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with shop_on_port(shop_dsn, tmp_path) as (run, visitor), nowhere() as lost:
            run.shop.catalogue = Catalogue(lost)
            answer = await visitor.get("/sale/HOT")
            assert answer.status_code == 503
            assert answer.headers["refresh"] == "3"
            assert "The shop cannot answer" in Reading(answer.text).seen

    asyncio.run(scenario())
