"""The rest of an order's life: capture, void, shipping, refunds, review, and telling others."""

import asyncio
from pathlib import Path

import httpx
import msgspec
import pytest

from target_app.jobs import expire_holds, run_once
from target_app.orders.outbox import CONSUMERS, relay, relay_some
from target_app.payments.breaker import Breaker
from target_app.payments.findings import Captured, Charge, Declined
from target_app.payments.reconciling import resolve_charges
from target_app.signatures import SIGNATURE_HEADER, sign
from tests.integration.running_shop import OPS, Rehearsed, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration


async def post(run: Rehearsed, path: str, *, key: str = "", **body: object) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else OPS
    return await run.client.post(path, json=body, headers=headers)


async def authorized(run: Rehearsed, key: str) -> str:
    order_id = await run.ordered(key)
    answer = await post(
        run, f"/v1/orders/{order_id}/payments", key="p", method="card", capture_method="manual"
    )
    assert (answer.status_code, answer.json()["status"]) == (200, "authorized")
    return order_id


async def paid(run: Rehearsed, key: str) -> str:
    order_id = await run.ordered(key)
    assert (await run.pay(order_id, "p")).status_code == 200
    return order_id


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_money_set_aside_is_captured_once(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await authorized(run, "k")
            assert [c["state"] for c in run.charges(order_id)] == ["authorized"]
            assert await run.stock() == (9, 1, 0)
            path = f"/v1/orders/{order_id}/capture"
            done = await post(run, path, key="c")
            assert (done.status_code, done.json()["status"]) == (200, "paid")
            again = await post(run, path, key="c")
            assert (again.status_code, again.json()) == (200, done.json())
            assert again.headers["Idempotent-Replayed"] == "true"
            assert code(await post(run, path, key="another")) == (409, "not_capturable")
            assert [c["state"] for c in run.charges(order_id)] == ["captured"]
            assert await run.stock() == (9, 0, 1)
            order = (await run.client.get(f"/v1/orders/{order_id}")).json()
            assert [event["to"] for event in order["events"]] == [
                *("pending_payment", "payment_processing", "authorized", "paid")
            ]
            assert [payment["state"] for payment in order["payments"]] == ["captured"]

    asyncio.run(scenario())


def test_a_cancelled_order_lets_go_of_the_money(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await authorized(run, "k")
            cancelled = await run.client.post(f"/v1/orders/{order_id}/cancel")
            assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
            assert await run.stock() == (10, 0, 0)
            waiting = (await run.client.get("/ops/quiescence", headers=OPS)).json()
            assert (waiting["quiet"], waiting["payment_processing"]) == (False, 1)
            for _ in range(2):
                await run_once(run.shop)
            assert [c["state"] for c in run.charges(order_id)] == ["voided"]
            assert (await run.client.get("/ops/quiescence", headers=OPS)).json()["quiet"]

    asyncio.run(scenario())


def test_money_nobody_captures_is_let_go_when_the_hold_ends(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, hold_s=60) as run:
            await run.sale()
            order_id = await authorized(run, "k")
            await run_once(run.shop)
            assert await run.status(order_id) == "authorized"
            await run.age("expires_at", table="orders", by_s=61)
            late = await post(run, f"/v1/orders/{order_id}/capture", key="c")
            assert code(late) == (409, "not_capturable")
            await run_once(run.shop)
            assert await run.status(order_id) == "cancelled"
            assert [c["state"] for c in run.charges(order_id)] == ["voided"]
            assert await run.stock() == (10, 0, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("taken_before", [False, True])
def test_a_charge_that_never_arrives_is_closed_before_units_are_freed(
    shop_dsn: str, tmp_path: Path, taken_before: bool
) -> None:
    """After the hold nothing is sent again; a request still on its way finds its key taken.

    A replica may have died between taking the key and cancelling it.
    """

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, hold_s=60) as run:
            await run.sale()
            order_id = await run.ordered("k")
            run.shop.provider.breaker = Breaker(lambda: 0.0, failures_max=1)
            run.shop.provider.breaker.failed()
            assert (await run.pay(order_id, "p")).status_code == 202
            await run.age("expires_at", table="orders", by_s=61)
            for column in ("created_at", "next_query_at"):
                await run.age(column, table="payments", by_s=5)
            await expire_holds(run.shop)
            assert await run.stock() == (9, 1, 0)
            charge = Charge(order_id, f"order:{order_id}:pay:1", 9900, "EUR", "card")
            if taken_before:
                assert await run.shop.provider.forestall(charge)
            await run_once(run.shop)
            assert await run.status(order_id) == "expired"
            assert await run.stock() == (10, 0, 0)
            assert [c["state"] for c in run.charges(order_id)] == ["voided"]
            run.shop.provider.breaker = Breaker(lambda: 0.0)
            assert not isinstance(await run.shop.provider.charge(charge), Captured)

    asyncio.run(scenario())


@pytest.mark.parametrize(("restock", "stock"), [(True, (10, 0, 0)), (False, (9, 0, 0))])
def test_a_full_refund(
    shop_dsn: str, tmp_path: Path, restock: bool, stock: tuple[int, int, int]
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await paid(run, "k")
            path = f"/v1/orders/{order_id}/refunds"
            done = await post(run, path, key="r", restock=restock)
            assert (done.status_code, done.json()["order_status"]) == (201, "refunded")
            assert (await post(run, path, key="r", restock=restock)).json() == done.json()
            assert code(await post(run, path, key="r", restock=not restock)) == (
                *(422, "key_mismatch"),
            )
            assert code(await post(run, path, key="more")) == (409, "not_refundable")
            refunds = [r for r in run.simulator.book.lines() if r["table"] == "refunds"]
            assert [r["amount"] for r in refunds] == [9900]
            assert await run.stock() == stock
            counters = [r for r in await run.ledger() if r["table"] == "stock"]
            (hot,) = (row for row in counters if row["sku"] == "HOT")
            assert hot["initial"] + hot["adjusted"] == sum(stock)

    asyncio.run(scenario())


def test_refunds_in_parts_never_exceed_what_was_paid(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await paid(run, "k")
            path = f"/v1/orders/{order_id}/refunds"
            assert code(await post(run, path, key="a", amount=9901)) == (422, "amount_too_high")
            assert code(await post(run, path, key="a", amount=1, restock=True)) == (
                *(422, "restock_needs_full_refund"),
            )
            part = await post(run, path, key="b", amount=4000)
            assert part.json()["order_status"] == "partially_refunded"
            assert await run.stock() == (9, 0, 1)
            answers = await asyncio.gather(
                *(post(run, path, key=f"c{n}", amount=4000) for n in range(5))
            )
            assert sorted(a.status_code for a in answers) == [201, 422, 422, 422, 422]
            rest = await post(run, path, key="d", restock=True)
            assert (rest.json()["amount"], rest.json()["order_status"]) == (1900, "refunded")
            refunds = [r for r in run.simulator.book.lines() if r["table"] == "refunds"]
            assert sum(r["amount"] for r in refunds) == 9900
            assert await run.stock() == (10, 0, 0)

    asyncio.run(scenario())


def test_a_refused_refund_waits_for_people(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await paid(run, "k")
            async with run.shop.database.connection() as connection:
                await connection.execute("UPDATE payments SET psp_ref = 'ch_unknown'")
            refund = await post(run, f"/v1/orders/{order_id}/refunds", key="r", restock=True)
            assert refund.status_code == 202
            for _ in range(2):
                await run.age("next_try_at", table="refunds", by_s=10)
                await run_once(run.shop)
            assert await run.status(order_id) == "review"
            desk = f"/ops/orders/{order_id}/decision"
            decided = await post(run, desk, decision="cancel", operator="ann")
            assert code(decided) == (409, "refund_first")
            decided = await post(run, desk, decision="pay", operator="ann", note="goods kept")
            assert decided.json()["status"] == "paid"
            assert await run.stock() == (9, 0, 1)
            noted = (await run.client.get(f"{desk}s", headers=OPS)).json()
            assert [(n["decision"], n["operator"], n["note"]) for n in noted] == [
                ("pay", "ann", "goods kept")
            ]
            assert code(await post(run, desk, decision="pay", operator="ann")) == (
                *(409, "not_in_review"),
            )

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("decision", "status", "stock"),
    [("pay", "paid", (9, 0, 1)), ("refund", "refunded", (10, 0, 0))],
)
def test_a_held_order_goes_where_people_say(
    shop_dsn: str, tmp_path: Path, decision: str, status: str, stock: tuple[int, int, int]
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await paid(run, "k")
            desk = f"/ops/orders/{order_id}/decision"
            assert (await run.client.post(desk, json={})).status_code == 401
            assert (await post(run, desk, decision="hold", operator="ann")).status_code == 200
            assert code(await run.pay(order_id, "again")) == (409, "order_in_review")
            assert (await post(run, desk, decision=decision, operator="ann")).status_code == 200
            await run.age("next_try_at", table="refunds", by_s=10)
            await run_once(run.shop)
            assert await run.status(order_id) == status
            assert await run.stock() == stock

    asyncio.run(scenario())


def test_shipping_is_said_once(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            path = f"/ops/orders/{order_id}/ship"
            assert code(await post(run, path)) == (409, "not_shippable")
            await run.pay(order_id, "p")
            for _ in range(2):
                assert (await post(run, path)).json()["status"] == "fulfilled"
            assert await run.stock() == (9, 0, 1)
            assert (await run.pay(order_id, "p")).status_code == 200

    asyncio.run(scenario())


def test_others_are_told_of_every_move_and_of_each_once(shop_dsn: str, tmp_path: Path) -> None:
    """The relay dies after the consumer took the messages, and tells them again."""

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            await paid(run, "k")

            async def die(*_: object) -> None:
                raise RuntimeError

            with pytest.raises(RuntimeError):
                await relay_some(run.shop, (*CONSUMERS, die))
            await asyncio.gather(*(relay(run.shop) for _ in range(3)))
            await run_once(run.shop)
            async with run.shop.database.connection() as connection:
                assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
                told = await connection.fetch("SELECT status FROM notifications ORDER BY outbox_id")
            assert [row["status"] for row in told] == [
                *("pending_payment", "payment_processing", "paid")
            ]

    asyncio.run(scenario())


def test_reconcile_now_runs_the_jobs(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            run.behave(mode="timeout_after_capture", first=1)
            order_id = await run.ordered("k")
            assert (await run.pay(order_id, "p")).status_code == 202
            await run.age("next_query_at", table="payments", by_s=5)
            assert (await run.client.post("/ops/reconcile")).status_code == 401
            done = await post(run, "/ops/reconcile")
            assert (done.status_code, "resolve_charges" in done.json()["ran"]) == (202, True)
            assert await run.status(order_id) == "paid"

    asyncio.run(scenario())


def test_other_news_only_makes_the_shop_ask(shop_dsn: str, tmp_path: Path) -> None:
    """A card was declined and the reply was lost; the event moves nothing by itself."""

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            run.shop.provider.breaker = Breaker(lambda: 0.0, failures_max=1)
            run.shop.provider.breaker.failed()
            assert (await run.pay(order_id, "p", method="card_declined")).status_code == 202
            psp_key = f"order:{order_id}:pay:1"
            run.shop.provider.breaker = Breaker(lambda: 0.0)
            card = Charge(order_id, psp_key, 9900, "EUR", "card_declined")
            declined = await run.shop.provider.charge(card)
            assert isinstance(declined, Declined)
            event = {
                "id": "evt",
                "type": "payment.declined",
                "intent_id": declined.psp_ref,
                "merchant_ref": order_id,
                "psp_key": psp_key,
                "amount": 9900,
            }
            body = msgspec.json.encode(event)
            headers = {SIGNATURE_HEADER: sign(body, "webhooks")}
            await run.client.post("/v1/webhooks/psp", content=body, headers=headers)
            assert await run.status(order_id) == "payment_processing"
            await resolve_charges(run.shop)
            assert await run.status(order_id) == "pending_payment"

    asyncio.run(scenario())
