"""A person at a browser: waits at the door, orders, pays, and is never charged twice."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from target_app.payments.reconciling import resolve_charges
from tests.integration.chromium import CHROMIUM, Browser, open_browser
from tests.integration.page_visitor import shop_on_port
from tests.integration.running_shop import Rehearsed
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH to open the pages in"),
]
PICTURES = Path(os.environ["PAGE_PICTURES"]) if "PAGE_PICTURES" in os.environ else None
"""Where to keep pictures of the pages, for whoever wants to look at them."""
BUY, PAY = "[data-buy] button", "[data-pay] button"


@asynccontextmanager
async def visited(
    dsn: str, folder: Path, **settings: Any
) -> AsyncIterator[tuple[Rehearsed, Browser, str]]:
    async with (
        shop_on_port(dsn, folder, **settings) as (run, visitor),
        open_browser(folder / "profile") as browser,
    ):
        yield run, browser, str(visitor.base_url)


async def see_it_on_sale(browser: Browser, url: str) -> None:
    await browser.visit(f"{url}/sale/HOT")
    await browser.until("On sale now")


async def picture(browser: Browser, name: str) -> None:
    if PICTURES:
        (PICTURES / f"{name}.png").write_bytes(await browser.picture())


def test_from_the_door_to_a_paid_order(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path) as (run, browser, url):
            await run.sale(starts_in_s=6)
            await browser.visit(f"{url}/sale/HOT")
            await browser.until("Opens in 00:00:0")
            assert await browser.evaluate(f"document.querySelector('{BUY}').disabled")
            await picture(browser, "before")
            await browser.until("On sale now")
            await picture(browser, "live")
            await browser.click(BUY)
            await browser.until("Waiting for payment")
            assert await run.stock() == (9, 1, 0)
            await picture(browser, "waiting")
            await browser.click(PAY)
            await browser.until("Thank you.")
            await picture(browser, "paid")
            assert await run.stock() == (9, 0, 1)
            await browser.visit(f"{url}/sale/HOT")
            await browser.until("You have an order")
            assert browser.complaints == []

    asyncio.run(scenario())


def test_an_order_whose_answer_was_lost_is_made_once(shop_dsn: str, tmp_path: Path) -> None:
    """The shop takes the order and the connection breaks; the page asks on, under the same key."""

    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path) as (run, browser, url):
            await run.sale()
            await see_it_on_sale(browser, url)
            await browser.evaluate(
                """const real = fetch; let lost = 0;
                window.fetch = async (path, options) => {
                  const answer = await real(path, options);
                  if (path !== "/v1/checkouts" || lost++ > 0) return answer;
                  throw new TypeError("connection reset"); }"""
            )
            await browser.click(BUY)
            await browser.until("Waiting for payment")
            assert await run.stock() == (9, 1, 0)
            assert len([row for row in await run.ledger() if row["table"] == "orders"]) == 1

    asyncio.run(scenario())


def test_a_browser_that_keeps_nothing_more_still_asks_for_the_same_order(
    shop_dsn: str, tmp_path: Path
) -> None:
    """Its storage is full of an older wish: that can be read, and nothing can be written."""

    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path) as (run, browser, url):
            await run.sale()
            await see_it_on_sale(browser, url)
            await browser.evaluate(
                """localStorage.setItem("doorbuster.wish.HOT", '{"key": "k", "order_id": "o_1"}');
                Storage.prototype.setItem = () => { throw new DOMException("full"); };
                const [real, later] = [fetch, setTimeout]; let lost = 0;
                window.setTimeout = (act, wait_ms) => later(act, wait_ms / 50);
                window.fetch = async (path, options) => {
                  const answer = await real(path, options);
                  if (path !== "/v1/checkouts" || lost++ >= ATTEMPTS) return answer;
                  throw new TypeError("connection reset"); }"""
            )
            await browser.click(BUY)
            await browser.until("may or may not have your order")
            await browser.until("Ask again")
            await browser.click(BUY)
            await browser.until("Waiting for payment")
            assert await run.stock() == (9, 1, 0)
            assert len([row for row in await run.ledger() if row["table"] == "orders"]) == 1

    asyncio.run(scenario())


def test_an_order_that_was_asked_for_before_is_found_again(shop_dsn: str, tmp_path: Path) -> None:
    """No answer ever comes, and the person loads the page anew, by when the last unit is gone."""

    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path) as (run, browser, url):
            await run.sale(stock=1)
            await see_it_on_sale(browser, url)
            await browser.evaluate(
                """const real = fetch; window.fetch = async (path, options) => {
                  const answer = await real(path, options);
                  if (path !== "/v1/checkouts") return answer;
                  throw new TypeError("connection reset"); }"""
            )
            await browser.click(BUY)
            await browser.until("Asking again")
            assert await run.stock() == (0, 1, 0)
            await browser.visit(f"{url}/sale/HOT")
            await browser.until("You have an order")
            assert "Ask again" not in await browser.seen()
            await browser.click("[data-mine] a")
            await browser.until("Waiting for payment")

    asyncio.run(scenario())


def test_what_was_asked_for_can_be_asked_again_after_the_last_unit(
    shop_dsn: str, tmp_path: Path
) -> None:
    """Nobody had answered when the page was closed, and the shop never heard of it."""

    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path) as (run, browser, url):
            await run.sale(stock=1)
            await see_it_on_sale(browser, url)
            await browser.evaluate(
                """const real = fetch; window.fetch = async (path, options) => {
                  if (path !== "/v1/checkouts") return real(path, options);
                  throw new TypeError("connection refused"); }"""
            )
            await browser.click(BUY)
            await browser.until("Asking again")
            assert (await run.check_out("somebody else")).status_code == 201
            run.shop.catalogue.forget()
            await browser.visit(f"{url}/sale/HOT")
            await browser.until("Sold out")
            await browser.until("Ask again")
            await browser.click(BUY)
            await browser.until("Too late")
            assert "Ask again" not in await browser.seen()

    asyncio.run(scenario())


def test_a_refused_card_may_be_followed_by_another(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path) as (run, browser, url):
            await run.sale()
            order_id = await run.ordered("k")
            await browser.visit(f"{url}/orders/{order_id}/page")
            await browser.until("Waiting for payment")
            await browser.evaluate("document.querySelector('select').value = 'card_declined'")
            await browser.click(PAY)
            await browser.until("The card was refused.")
            await picture(browser, "declined")
            await browser.evaluate("document.querySelector('select').value = 'card'")
            await browser.click(PAY)
            await browser.until("Thank you.")
            assert [charge["state"] for charge in run.charges(order_id)] == ["declined", "captured"]

    asyncio.run(scenario())


def test_a_payment_without_an_answer_is_watched_until_it_is_known(
    shop_dsn: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path) as (run, browser, url):
            await run.sale()
            order_id = await run.ordered("k")
            run.behave(mode="timeout_after_capture")
            await browser.visit(f"{url}/orders/{order_id}/page")
            await browser.click(PAY)
            seen = await browser.until("Do not pay again")
            assert "Pay with" not in seen
            run.behave(mode="normal")
            await run.age("next_query_at", table="payments", by_s=60)
            await resolve_charges(run.shop)
            await browser.until("Thank you.")
            assert [charge["state"] for charge in run.charges(order_id)] == ["captured"]

    asyncio.run(scenario())


def test_a_page_that_is_open_tells_when_all_is_sold(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path) as (run, browser, url):
            await run.sale()
            await browser.visit(f"{url}/sale/HOT")
            await browser.until("10 left")
            await run.check_out("all", lines={"HOT": 10})
            await browser.click(BUY)
            await browser.until("Too late")
            await browser.until("Sold out")
            await picture(browser, "sold_out")
            await browser.visit(url)
            await browser.until("sold out")
            await picture(browser, "front")

    asyncio.run(scenario())


def test_a_cancelled_order_gives_its_units_back(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path) as (run, browser, url):
            await run.sale()
            order_id = await run.ordered("k")
            await browser.visit(f"{url}/orders/{order_id}/page")
            await browser.click("[data-cancel]")
            await browser.until("The units went back on sale.")
            assert await run.stock() == (10, 0, 0)

    asyncio.run(scenario())
