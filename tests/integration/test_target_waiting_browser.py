"""A person in the line: in the draw, then numbered, then admitted, and told when it is over."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.chromium import CHROMIUM
from tests.integration.redis_server import RedisServer, redis_server
from tests.integration.shop_database import postgres, shop_dsn
from tests.integration.test_target_pages_browser import BUY, picture, visited
from tests.integration.waiting_line import admitted, bought

__all__ = ["postgres", "redis_server", "shop_dsn"]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH to open the pages in"),
]


def test_from_the_draw_through_the_line_to_an_order(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    room = {"redis_url": redis_server.url, "waiting_room_rate": 1000, "waiting_room_active": 1}

    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path, **room) as (run, browser, url):
            await run.sale(starts_in_s=-60)
            ada = await admitted(run, "ada")
            await browser.visit(f"{url}/sale/HOT")
            assert "Join the line" in await browser.until("On sale now")
            await browser.click(BUY)
            await browser.until("Number 1 in the line")
            assert await browser.evaluate(f"document.querySelector('{BUY}').disabled")
            await picture(browser, "line")
            await browser.visit(f"{url}/sale/HOT")
            await browser.until("Number 1 in the line")
            await browser.click("[data-leave]")
            assert "Number" not in await browser.until("Join the line")
            await browser.click(BUY)
            await browser.until("Number 1 in the line")
            assert (await bought(run, "k", ada["admission_token"], customer="ada")).is_success
            await browser.until("It is your turn")
            await picture(browser, "turn")
            await browser.click(BUY)
            await browser.until("Waiting for payment")
            assert await run.stock() == (8, 2, 0)
            await run.sale(starts_in_s=3600)
            await browser.visit(f"{url}/sale/HOT")
            await browser.click(BUY)
            await browser.until("You are in the draw")
            await picture(browser, "draw")
            assert [c for c in browser.complaints if not c.startswith("network: ")] == []

    asyncio.run(scenario())


LOST = """
    const [real, later] = [fetch, setTimeout]; let lost = %d;
    window.setTimeout = (act, wait_ms) => later(act, wait_ms / 20);
    window.fetch = (path, options) => !path.startsWith("/v1/queue/") || lost-- <= 0
      ? real(path, options)
      : Promise.resolve(new Response('{"code": "%s"}', {status: %d}));
"""


def test_joining_a_busy_line_is_asked_again_and_said_so(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    room = {"redis_url": redis_server.url, "waiting_room_rate": 1000, "waiting_room_active": 1}

    async def scenario() -> None:
        async with visited(shop_dsn, tmp_path, **room) as (run, browser, url):
            await run.sale(starts_in_s=-60)
            await admitted(run, "ada")
            await browser.visit(f"{url}/sale/HOT")
            await browser.until("Join the line")
            await browser.evaluate(LOST % (7, "shed", 429))
            await browser.click(BUY)
            await browser.until("Asking for a place again")
            await browser.until("Number 1 in the line")
            await browser.click("[data-leave]")
            await browser.visit(f"{url}/sale/HOT")
            await browser.until("Join the line")
            await browser.evaluate(LOST % (10**6, "waiting_room_unavailable", 503))
            await browser.click(BUY)
            seen = await browser.until("nobody knows whether you are in it")
            assert "this page asks on" not in seen
            assert "Join the line" in seen
            assert not await browser.evaluate(f"document.querySelector('{BUY}').disabled")

    asyncio.run(scenario())
