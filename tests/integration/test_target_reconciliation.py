"""The shop's books beside the provider's: what is booked late, and what stands for people."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from target_app.jobs import expire_holds, run_once
from target_app.payments.findings import Captured, Charge
from target_app.reconciliation import events
from target_app.reconciliation.events import meet_events
from target_app.reconciliation.holding import HOLD_AFTER_S
from target_app.reconciliation.settlement import days_to_read, meet_settlement
from target_app.signatures import SIGNATURE_HEADER, sign
from tests.integration.running_shop import OPS, Rehearsed, replicas_of, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

LATER_S = 90


async def take(run: Rehearsed, order_id: str, *, key: str = "lost") -> str:
    """Charge behind the shop's back, as if its intent had been lost."""
    taken = await run.shop.provider.charge(Charge(order_id, key, 9900, "EUR", "card"))
    assert isinstance(taken, Captured)
    return taken.psp_ref


async def next_turn(run: Rehearsed) -> None:
    for column in ("next_at", "read_at"):
        await run.age(column, table="provider_readings", by_s=LATER_S)


async def meet(run: Rehearsed) -> list[dict[str, Any]]:
    """Let the jobs read, wait, book and compare; return what stands."""
    for _ in range(2):
        await next_turn(run)
        await meet_events(run.shop)
        await meet_settlement(run.shop)
        for column, table in (
            ("next_try_at", "provider_entries"),
            ("seen_at", "provider_entries"),
            ("updated_at", "orders"),
        ):
            await run.age(column, table=table, by_s=LATER_S)
    await next_turn(run)
    await meet_events(run.shop)
    answer = await run.client.get("/ops/findings", headers=OPS)
    found: list[dict[str, Any]] = answer.json()["findings"]
    assert all(finding["age_s"] >= 0 for finding in found)
    return found


def told(found: list[dict[str, Any]]) -> list[tuple[str, str, int, int]]:
    return [
        (each["kind"], each["order_id"], each["expected"], each["found"])
        for each in found
        if each["source"] == "events"
    ]


async def lapse(run: Rehearsed) -> None:
    await run.age("expires_at", table="orders", by_s=3600)
    await expire_holds(run.shop)


@pytest.mark.parametrize(
    ("before", "status"),
    [("held", "paid"), ("expired", "paid"), ("sold to another", "refunded")],
)
def test_a_charge_whose_payment_was_lost_is_booked(
    shop_dsn: str, tmp_path: Path, before: str, status: str
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=1)
            order_id = await run.ordered("k")
            await take(run, order_id)
            if before != "held":
                await lapse(run)
            if before == "sold to another":
                await run.ordered("quicker")
            await meet(run)
            await run_once(run.shop)
            assert await run.status(order_id) == status
            assert told(await meet(run)) == []
            assert len(run.charges(order_id)) == 1

    asyncio.run(scenario())


def test_what_differs_stands_until_the_books_agree(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            assert (await run.client.get("/ops/findings")).status_code == 401
            orders = [await run.ordered(f"k{n}") for n in range(4)]
            for n, order_id in enumerate(orders):
                assert (await run.pay(order_id, f"p{n}")).status_code == 200
            _right, uncharged, cheaper, twice = orders
            ref = await take(run, "o_gone")
            run.behave(mode="no_idempotency")
            await take(run, twice, key=f"order:{twice}:pay:1")
            async with run.shop.database.connection() as connection:
                await connection.execute(
                    "UPDATE orders SET total = 9800 WHERE order_id = $1", cheaper
                )
            run.simulator.book.database.execute(
                "DELETE FROM events WHERE body LIKE ?", (f"%{uncharged}%",)
            )
            found = await meet(run)
            assert sorted(told(found)) == sorted(
                [
                    ("charge_only", "o_gone", 0, 9900),
                    ("order_only", uncharged, 9900, 0),
                    ("amount_diff", cheaper, 9800, 9900),
                    ("double_charge", twice, 9900, 19800),
                ]
            )
            first_seen = {each["subject"]: each["first_seen_at"] for each in found}
            again = {each["subject"]: each["first_seen_at"] for each in await meet(run)}
            assert again == first_seen
            assert [await run.status(order_id) for order_id in orders] == ["paid"] * 4
            run.behave()
            assert await run.shop.provider.refund(psp_ref=ref, psp_key="lost", amount=9900) is None
            assert "charge_only" not in {kind for kind, *_ in told(await meet(run))}

    asyncio.run(scenario())


def test_refunds_are_no_difference(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            part, twice = await run.ordered("part"), await run.ordered("twice")
            for order_id in (part, twice):
                await run.pay(order_id, "p")
            path = f"/v1/orders/{part}/refunds"
            body, key = {"amount": 4000}, {"Idempotency-Key": "r"}
            assert (await run.client.post(path, json=body, headers=key)).status_code == 201
            await take(run, twice, key="second")
            await meet(run)
            await run_once(run.shop)
            refunds = (await run.client.get(f"/v1/orders/{twice}")).json()["refunds"]
            assert [refund["state"] for refund in refunds] == ["succeeded"]
            assert await meet(run) == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("difference", "kind", "found"),
    [("amount", "amount_diff", 9901), ("missing", "order_only", 0), ("double", None, 19800)],
)
def test_a_settlement_that_differs_is_found(
    shop_dsn: str, tmp_path: Path, difference: str, kind: str | None, found: int
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            await run.pay(order_id, "p")
            assert await meet(run) == []
            run.behave(mode="settlement_mismatch", difference=difference)
            (finding,) = await meet(run)
            assert finding["source"].startswith("settlement ")
            assert finding["kind"] == (kind or "double_charge")
            assert (finding["expected"], finding["found"]) == (9900, found)
            assert finding["order_id"] == order_id
            run.behave()
            assert await meet(run) == []

    asyncio.run(scenario())


def test_the_last_sales_of_a_day_are_in_no_earlier_file() -> None:
    midnight = datetime(2026, 11, 12, tzinfo=UTC)
    assert days_to_read(midnight - timedelta(minutes=1)) == [date(2026, 11, 11)]
    assert days_to_read(midnight + timedelta(minutes=1)) == [date(2026, 11, 11), date(2026, 11, 12)]
    assert days_to_read(midnight + timedelta(hours=1)) == [date(2026, 11, 12)]


def test_what_a_day_left_behind_stands_after_midnight(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            await run.pay(order_id, "p")
            await meet(run)
            async with run.shop.database.connection() as connection:
                await connection.execute(
                    "INSERT INTO findings (source, kind, subject, expected, found)"
                    " VALUES ('settlement 2026-11-11', 'charge_only', 'ch', 0, 9900)"
                )
            assert [finding["subject"] for finding in await meet(run)] == ["ch"]

    asyncio.run(scenario())


def test_an_order_whose_money_differs_for_long_is_held_once(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            right, twice = await run.ordered("k"), await run.ordered("l")
            for order_id in (right, twice):
                assert (await run.pay(order_id, "p")).status_code == 200
            run.behave(mode="no_idempotency")
            await take(run, twice, key=f"order:{twice}:pay:1")
            await meet(run)
            shown = (await run.client.get("/metrics")).text
            assert 'storefront_findings{kind="double_charge"} 1.0' in shown
            assert await run.status(twice) == "paid"
            await run.age("first_seen_at", table="findings", by_s=HOLD_AFTER_S)
            await meet(run)
            assert (await run.status(right), await run.status(twice)) == ("paid", "review")
            body = {"decision": "pay", "operator": "ann"}
            path = f"/ops/orders/{twice}/decision"
            answer = await run.client.post(path, json=body, headers=OPS)
            assert answer.status_code == 200
            await meet(run)
            assert await run.status(twice) == "paid"

    asyncio.run(scenario())


def test_money_that_only_the_settlement_knows_is_found(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            ref = await take(run, "o_gone")
            run.simulator.book.database.execute("DELETE FROM events")
            assert await meet(run) == []
            earlier = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-6 seconds')"
            run.simulator.book.database.execute(f"UPDATE charges SET captured_at = {earlier}")
            async with run.shop.database.connection() as connection:
                await connection.execute(
                    "UPDATE provider_readings SET since = since - interval '1 minute'"
                )
            (finding,) = await meet(run)
            assert (finding["kind"], finding["subject"]) == ("charge_only", ref)
            assert (finding["order_id"], finding["found"]) == (None, 9900)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("kind", "standing"), [("payment.succeeded", ["evt"]), ("payment.declined", [])]
)
def test_an_event_about_no_order_stands(
    shop_dsn: str, tmp_path: Path, kind: str, standing: list[str]
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            event = {"id": "evt", "type": kind, "intent_id": "ch", "merchant_ref": "o_gone"}
            body = msgspec.json.encode(event | {"psp_key": "key", "amount": 1})
            headers = {SIGNATURE_HEADER: sign(body, "webhooks")}
            assert (
                await run.client.post("/v1/webhooks/psp", content=body, headers=headers)
            ).status_code == 200
            found = await meet(run)
            assert [f["subject"] for f in found if f["kind"] == "unapplied_event"] == standing

    asyncio.run(scenario())


def test_replicas_read_on_page_by_page(
    shop_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAGE", 2)
    monkeypatch.setattr(events, "PAGES_AT_ONCE", 2)

    async def scenario() -> None:
        async with replicas_of(running_shop, shop_dsn, tmp_path, number=3) as shops:
            first = shops[0]
            await first.sale()
            orders = [await first.ordered(f"k{n}") for n in range(6)]
            for order_id in orders:
                await take(first, order_id, key=order_id)
            read = "SELECT count(*) FROM provider_entries"
            for replica in shops:
                replica.shop.provider = first.shop.provider
            await asyncio.gather(*(meet_events(replica.shop) for replica in shops))
            async with first.shop.database.connection() as connection:
                assert await connection.fetchval(read) == 4
                await connection.execute("UPDATE provider_readings SET next_at = now()")
            await meet_events(first.shop)
            await first.age("next_try_at", table="provider_entries", by_s=LATER_S)
            await first.age("next_at", table="provider_readings", by_s=LATER_S)
            await asyncio.gather(*(meet_events(replica.shop) for replica in shops))
            assert [await first.status(order_id) for order_id in orders] == ["paid"] * 6
            assert await first.stock() == (4, 0, 6)

    asyncio.run(scenario())


def test_a_provider_that_is_not_heard_is_no_agreement(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async def page(_request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, html="<html>")

        async with running_shop(shop_dsn, tmp_path, provider=page) as run:
            await run.sale()
            assert await meet(run) == []
            answer = (await run.client.get("/ops/findings", headers=OPS)).json()
            assert answer["read_at"] == {"events": None, "settlement": None}

    asyncio.run(scenario())
