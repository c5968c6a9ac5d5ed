"""Payment: what an answer, silence, a reset or a late word from the provider leads to."""

import asyncio
from pathlib import Path

import httpx
import msgspec
import pytest

from target_app.jobs import expire_holds
from target_app.orders.outbox import relay
from target_app.payments.provider_client import Captured, Charge, ProviderClient
from target_app.payments.reconciling import give_back, resolve_charges
from target_app.provider.intents import Intent
from target_app.signatures import SIGNATURE_HEADER, sign
from tests.integration.running_shop import OPS, Rehearsed, running_shop
from tests.integration.shop_database import WAITING, postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

DECLINED = """
INSERT INTO payments (payment_id, order_id, request_key, method, psp_key, state, amount,
                      created_at, next_query_at)
SELECT 'p_1', $1::text, 'first', 'card', 'order:' || $1::text || ':pay:1', 'declined', 9900,
       now(), now()
"""


async def resolve_after(run: Rehearsed, age_s: float) -> None:
    """Reconcile as if `age_s` had passed since the intents."""
    await run.age("next_query_at", table="payments", by_s=age_s)
    await run.age("created_at", table="payments", by_s=age_s)
    await resolve_charges(run.shop)


async def books_agree(run: Rehearsed, order_id: str) -> None:
    """One charge, one captured payment, one paid order, one unit, and nothing left to do."""
    assert [c["state"] for c in run.charges(order_id)] == ["captured"]
    rows = await run.ledger()
    assert [r["state"] for r in rows if r["table"] == "payments"] == ["captured"]
    assert await run.status(order_id) == "paid"
    assert await run.stock() == (9, 0, 1)
    await relay(run.shop)
    assert (await run.client.get("/ops/quiescence", headers=OPS)).json()["quiet"]


def test_a_payment_captures_once(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            paid = await run.pay(order_id, "p")
            assert paid.status_code == 200
            assert paid.json() == {"order_id": order_id, "status": "paid", "amount": 9900}
            for key in ("p", "another key"):
                again = await run.pay(order_id, key)
                assert (again.status_code, again.json()) == (200, paid.json())
            await books_agree(run, order_id)

    asyncio.run(scenario())


def test_other_tabs_wait_while_one_pays(shop_dsn: str, tmp_path: Path) -> None:
    charged: list[str] = []
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def provider(request: httpx.Request) -> httpx.Response:
        charged.append(request.headers["Idempotency-Key"])
        asked.set()
        await go_on.wait()
        intent = {"id": "ch_1", "status": "succeeded", "captured": True, "amount": 9900}
        return httpx.Response(200, json=intent)

    async def scenario() -> None:
        async with running_shop(
            shop_dsn, tmp_path, provider=provider, provider_timeout_s=60
        ) as run:
            await run.sale()
            order_id = await run.ordered("k")
            first = asyncio.create_task(run.pay(order_id, "first"))
            await asked.wait()
            others = await asyncio.gather(*(run.pay(order_id, f"p{n}") for n in range(9)))
            assert {(a.status_code, a.json()["code"]) for a in others} == {
                (409, "payment_in_progress")
            }
            go_on.set()
            assert (await first).status_code == 200
            assert charged == [f"order:{order_id}:pay:1"]
            assert await run.stock() == (9, 0, 1)

    asyncio.run(scenario())


def test_a_declined_card_leaves_the_hold_and_another_may_pay(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            for _ in range(2):  # the repeated key is told the same, and the card is not asked again
                declined = await run.pay(order_id, "p1", method="card_declined")
                assert (declined.status_code, declined.json()["code"]) == (402, "card_declined")
            assert await run.status(order_id) == "pending_payment"
            assert await run.stock() == (9, 1, 0)
            mismatch = await run.pay(order_id, "p1", method="card")
            assert (mismatch.status_code, mismatch.json()["code"]) == (422, "key_mismatch")
            assert (await run.pay(order_id, "p2")).status_code == 200
            assert [c["state"] for c in run.charges(order_id)] == ["declined", "captured"]

    asyncio.run(scenario())


def test_a_card_declined_in_another_tab_is_counted(shop_dsn: str, tmp_path: Path) -> None:
    """The second tab waits for the order's row while the first one's decline is committed."""

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            async with run.shop.database.transaction() as connection:
                await connection.execute(
                    "SELECT FROM orders WHERE order_id = $1 FOR UPDATE", order_id
                )
                second = asyncio.create_task(run.pay(order_id, "second"))
                for _ in range(300):
                    await asyncio.sleep(0.1)
                    if await connection.fetchval(WAITING):
                        break
                await connection.execute(DECLINED, order_id)
            assert (await second).status_code == 200
            assert [c["psp_key"][-5:] for c in run.charges(order_id)] == ["pay:2"]

    asyncio.run(scenario())


def test_silence_after_capture_is_processing_until_asked(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, hold_s=60) as run:
            await run.sale()
            run.behave(mode="timeout_after_capture", first=1)
            order_id = await run.ordered("k")
            unknown = await run.pay(order_id, "p")
            assert unknown.status_code == 202
            assert unknown.json() == {"order_id": order_id, "status": "payment_processing"}
            other = await run.pay(order_id, "another key")
            assert (other.status_code, other.json()["code"]) == (409, "payment_in_progress")
            await run.age("expires_at", table="orders", by_s=61)
            await expire_holds(run.shop)  # never while money may be on its way
            assert await run.stock() == (9, 1, 0)
            assert (await run.client.get("/ops/quiescence", headers=OPS)).json() == {
                "quiet": False,
                "payment_processing": 1,
                "active_holds": 0,
                "refunds_pending": 0,
                "messages_untold": 2,
            }
            await resolve_after(run, 2)
            await books_agree(run, order_id)
            assert (await run.pay(order_id, "p")).status_code == 200

    asyncio.run(scenario())


def test_a_charge_that_never_arrived_is_sent_again_under_its_key(
    shop_dsn: str, tmp_path: Path
) -> None:
    """The first request is lost on the way, so the provider has never heard of it."""

    async def lose(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("lost on the way")

    async def scenario() -> None:
        async with (
            running_shop(shop_dsn, tmp_path, provider_timeout_s=2) as run,
            httpx.AsyncClient(transport=httpx.MockTransport(lose)) as severed,
        ):
            await run.sale()
            reachable = run.shop.provider
            run.shop.provider = ProviderClient(severed, timeout_s=2, metrics=run.shop.metrics)
            order_id = await run.ordered("k")
            assert (await run.pay(order_id, "p")).status_code == 202
            run.shop.provider = reachable
            await resolve_after(run, 1.6)  # it may still be on its way
            assert await run.status(order_id) == "payment_processing"
            assert run.charges(order_id) == []
            await resolve_after(run, 5)
            await books_agree(run, order_id)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "error", [httpx.ReadError("reset"), httpx.ConnectError("refused"), httpx.ReadTimeout("slow")]
)
def test_no_answer_is_not_a_no(shop_dsn: str, tmp_path: Path, error: Exception) -> None:
    asked: list[str] = []

    async def provider(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.headers.get('Idempotency-Key')}")
        raise error

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, provider=provider) as run:
            await run.sale()
            order_id = await run.ordered("k")
            assert (await run.pay(order_id, "p")).status_code == 202
            await resolve_after(run, 60)
            assert await run.status(order_id) == "payment_processing"
            assert await run.stock() == (9, 1, 0)
            assert asked == [f"POST order:{order_id}:pay:1", "GET None"]

    asyncio.run(scenario())


def test_a_5xx_is_not_a_no(shop_dsn: str, tmp_path: Path) -> None:
    async def provider(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, provider=provider) as run:
            await run.sale()
            order_id = await run.ordered("k")
            assert (await run.pay(order_id, "p")).status_code == 202

    asyncio.run(scenario())


async def announce(run: Rehearsed, order_id: str, *, event: str, amount: int = 9900) -> str:
    """Deliver a webhook as the provider would; return the status and body in short."""
    body = msgspec.json.encode(
        {
            "id": event,
            "type": "payment.succeeded",
            "intent_id": "ch_1",
            "merchant_ref": order_id,
            "psp_key": f"order:{order_id}:pay:1",
            "amount": amount,
        }
    )
    headers = {SIGNATURE_HEADER: sign(body, "webhooks")}
    answer = await run.client.post("/v1/webhooks/psp", content=body, headers=headers)
    return f"{answer.status_code} {answer.json().get('duplicate')}"


def test_a_webhook_pays_once_however_often_it_comes(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            run.behave(mode="timeout_after_capture")
            order_id = await run.ordered("k")
            assert (await run.pay(order_id, "p")).status_code == 202
            answers = await asyncio.gather(
                *(announce(run, order_id, event=f"evt_{n % 2}") for n in range(6))
            )
            assert sorted(answers) == ["200 False"] * 2 + ["200 True"] * 4
            assert await run.status(order_id) == "paid"
            await resolve_after(run, 5)
            await books_agree(run, order_id)
            events = [r for r in await run.ledger() if r["table"] == "order_events"]
            assert [e["to_status"] for e in events] == [
                *("pending_payment", "payment_processing", "paid")
            ]

    asyncio.run(scenario())


def test_a_forged_webhook_has_no_effect(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            body = b'{"id":"evt","type":"payment.succeeded"}'
            for headers in ({}, {SIGNATURE_HEADER: sign(body, "guessed")}):
                answer = await run.client.post("/v1/webhooks/psp", content=body, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
            assert await run.status(order_id) == "pending_payment"

    asyncio.run(scenario())


def test_late_money_takes_the_units_again(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=10)
            order_id = await run.ordered("k")
            await run.client.post(f"/v1/orders/{order_id}/cancel")
            assert await announce(run, order_id, event="evt") == "200 False"
            assert await run.status(order_id) == "paid"
            assert await run.stock() == (9, 0, 1)

    asyncio.run(scenario())


def test_late_money_for_units_that_are_gone_is_given_back(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=1)
            order_id = await run.ordered("late")
            await run.client.post(f"/v1/orders/{order_id}/cancel")
            await run.ordered("quicker")
            charged = run.simulator.book.charge(
                Intent(order_id, 9900, "EUR", "card"), key=f"order:{order_id}:pay:1"
            )
            found = await run.shop.provider.find(
                order_id=order_id, psp_key=f"order:{order_id}:pay:1"
            )
            assert found == Captured(charged.values["charge_id"], 9900)
            charge = Charge(order_id, f"order:{order_id}:pay:1", 9900, "EUR", "card")
            await run.shop.book(charge, found)
            assert await run.status(order_id) == "refund_pending"
            assert await run.stock() == (0, 1, 0)
            for _ in range(2):
                await give_back(run.shop)
            assert await run.status(order_id) == "refunded"
            refunds = [r for r in run.simulator.book.lines() if r["table"] == "refunds"]
            assert [r["amount"] for r in refunds] == [9900]

    asyncio.run(scenario())


def test_money_that_is_not_the_price_does_not_pay(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            assert await announce(run, order_id, event="evt", amount=1) == "200 False"
            assert await run.status(order_id) == "pending_payment"
            waiting = (await run.client.get("/ops/quiescence", headers=OPS)).json()
            assert waiting["refunds_pending"] == 1

    asyncio.run(scenario())
