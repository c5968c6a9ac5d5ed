"""What people decide while money is on its way, or only set aside, or came twice."""

import asyncio
from pathlib import Path

import httpx
import pytest

from target_app.jobs import run_once
from target_app.payments.findings import Captured
from target_app.payments.settlement import book_capture
from tests.integration.running_shop import OPS, Rehearsed, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration


async def authorized(run: Rehearsed) -> str:
    order_id = await run.ordered("k")
    answer = await run.client.post(
        f"/v1/orders/{order_id}/payments",
        json={"method": "card", "capture_method": "manual"},
        headers={"Idempotency-Key": "p"},
    )
    assert answer.json()["status"] == "authorized"
    return order_id


async def decide(run: Rehearsed, order_id: str, decision: str) -> httpx.Response:
    body = {"decision": decision, "operator": "ann"}
    return await run.client.post(f"/ops/orders/{order_id}/decision", json=body, headers=OPS)


def told(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body.get("code") or body["status"]


async def set_payment(run: Rehearsed, order_id: str, state: str) -> None:
    async with run.shop.database.connection() as connection:
        await connection.execute(
            "UPDATE payments SET state = $2 WHERE order_id = $1", order_id, state
        )


async def capture_lands(run: Rehearsed, order_id: str, *, attempt: int) -> None:
    capture = Captured(f"ch_{attempt}", 9900)
    async with run.shop.change() as change:
        await book_capture(
            change, order_id=order_id, psp_key=f"order:{order_id}:pay:{attempt}", capture=capture
        )


def test_nobody_decides_while_money_is_on_its_way(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await authorized(run)
            for state in ("capturing", "voiding"):
                await set_payment(run, order_id, state)
                refused = await decide(run, order_id, "hold")
                assert told(refused) == (409, "payment_in_progress")
            await set_payment(run, order_id, "authorized")
            assert told(await decide(run, order_id, "hold")) == (200, "review")
            for state in ("processing", "capturing", "voiding"):
                await set_payment(run, order_id, state)
                for decision in ("pay", "refund", "cancel"):
                    refused = await decide(run, order_id, decision)
                    assert told(refused) == (409, "payment_in_progress")
            assert await run.status(order_id) == "review"

    asyncio.run(scenario())


@pytest.mark.parametrize("answered", [True, False])
def test_a_held_order_is_paid_with_what_was_set_aside(
    shop_dsn: str, tmp_path: Path, answered: bool
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await authorized(run)
            assert told(await decide(run, order_id, "hold")) == (200, "review")
            if not answered:
                run.behave(mode="timeout_after_capture", first=1)
            done = await decide(run, order_id, "pay")
            assert told(done) == ((200, "paid") if answered else (202, "review"))
            await run.age("next_query_at", table="payments", by_s=5)
            await run_once(run.shop)
            assert await run.status(order_id) == "paid"
            assert [charge["state"] for charge in run.charges(order_id)] == ["captured"]
            assert await run.stock() == (9, 0, 1)

    asyncio.run(scenario())


def test_a_held_order_lets_go_of_what_was_set_aside(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await authorized(run)
            await decide(run, order_id, "hold")
            assert told(await decide(run, order_id, "cancel")) == (200, "cancelled")
            await run_once(run.shop)
            assert [charge["state"] for charge in run.charges(order_id)] == ["voided"]
            assert await run.stock() == (10, 0, 0)

    asyncio.run(scenario())


def test_a_held_order_whose_money_was_let_go_of_stays_held(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await authorized(run)
            await decide(run, order_id, "hold")
            run.behave(mode="auth_expired")
            assert told(await decide(run, order_id, "pay")) == (409, "authorization_expired")
            assert await run.status(order_id) == "review"
            assert told(await decide(run, order_id, "pay")) == (409, "not_paid_for")
            assert told(await decide(run, order_id, "cancel")) == (200, "cancelled")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("decision", "status", "given_back"),
    [("pay", "paid", [2]), ("refund", "refund_pending", [1, 2])],
)
def test_money_that_lands_in_a_review_waits_for_the_decision(
    shop_dsn: str, tmp_path: Path, decision: str, status: str, given_back: list[int]
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            assert told(await decide(run, order_id, "hold")) == (200, "review")
            for attempt in (1, 2):
                await capture_lands(run, order_id, attempt=attempt)
            refunds = "SELECT psp_key FROM refunds ORDER BY psp_key"
            async with run.shop.database.connection() as connection:
                assert await connection.fetch(refunds) == []
            assert await run.status(order_id) == "review"
            assert told(await decide(run, order_id, "cancel")) == (409, "refund_first")
            assert told(await decide(run, order_id, decision)) == (200, status)
            async with run.shop.database.connection() as connection:
                asked = [row["psp_key"] for row in await connection.fetch(refunds)]
            assert asked == [f"order:{order_id}:pay:{n}" for n in given_back]

    asyncio.run(scenario())


@pytest.mark.parametrize("before", ["pending_payment", "paid"])
def test_figures_stand_while_an_order_is_in_review(
    shop_dsn: str, tmp_path: Path, before: str
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            if before == "paid":
                await run.pay(order_id, "p")
            await decide(run, order_id, "hold")
            taken = (await run.client.post("/ops/stocktake", headers=OPS)).json()
            assert taken["differences"] == 0, taken
            if before == "pending_payment":
                await capture_lands(run, order_id, attempt=1)
            assert told(await decide(run, order_id, "pay")) == (200, "paid")
            metrics = (await run.client.get("/metrics")).text
            assert "storefront_paid_orders_total 1.0" in metrics
            assert "storefront_gmv_minor_units_total 9900.0" in metrics
            assert await run.stock() == (9, 0, 1)

    asyncio.run(scenario())
