"""What an order says of itself: its discounts, gifts that ran out, free orders, refunds."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from target_app.database.primary import Connection
from target_app.reservations import Line, Reservations, SoldOutError
from tests.integration.documented import documented_shop
from tests.integration.running_shop import Rehearsed
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

HALF = {"kind": "item_discount", "id": "half", "skus": ["HOT"], "off": {"percent": 50}}
TEN_OFF = {"kind": "threshold", "id": "ten", "min_amount": 100, "off": {"amount": 10}}
GIFTS: dict[str, Any] = {
    "promotions": [
        {"kind": "gift", "id": f"free-{sku}", "sku": sku, "min_amount": 100}
        for sku in ("A-GIFT", "B-GIFT")
    ],
    "gifts": [{"sku": sku, "stock": 9} for sku in ("A-GIFT", "B-GIFT")],
}


def none_to_be_had(correct: Reservations, *skus: str) -> Reservations:
    """Return a strategy that finds `skus` sold out whatever the stock row says, as a gate may."""

    async def reserve(connection: Connection, lines: Sequence[Line]) -> None:
        for line in lines:
            if line.sku in skus:
                raise SoldOutError(line.sku)
        await correct.reserve(connection, lines)

    return replace(correct, reserve=reserve)


async def order(run: Rehearsed, order_id: str) -> dict[str, Any]:
    return dict((await run.client.get(f"/v1/orders/{order_id}")).json())


def test_an_order_tells_its_discounts_as_its_checkout_did(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            coupon = {"code": "NEW20", "off": {"amount": 2000}}
            await run.sale(promotions=[TEN_OFF, HALF], coupons=[coupon])
            lines = {"HOT": 1, "BASE": 2}
            placed = (await run.check_out("k", lines=lines, coupons=["NEW20"])).json()
            read = await order(run, placed["order_id"])
            same = ("subtotal", "discounts", "total", "lines")
            assert {name: read[name] for name in same} == {name: placed[name] for name in same}
            assert [each["rule"] for each in read["discounts"]] == ["half", "ten", "NEW20"]
            plain = (await run.check_out("plain", lines={"BASE": 1})).json()["order_id"]
            assert (await order(run, plain))["subtotal"] == 100

    asyncio.run(scenario())


@pytest.mark.parametrize("gone", [("A-GIFT",), ("A-GIFT", "B-GIFT")])
def test_gifts_that_vanish_at_each_try_stop_nobody(
    shop_dsn: str, tmp_path: Path, gone: tuple[str, ...]
) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(**GIFTS)
            run.shop.reservations = none_to_be_had(run.shop.reservations, *gone)
            answer = await run.check_out("k")
            assert answer.status_code == 201, answer.text
            assert answer.json()["missing_gifts"] == list(gone)
            run.shop.reservations = none_to_be_had(run.shop.reservations, "HOT")
            assert (await run.check_out("k2")).json()["code"] == "sold_out"

    asyncio.run(scenario())


def test_concurrent_buyers_of_the_last_gifts_all_get_an_order(
    shop_dsn: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            few = [{"sku": "A-GIFT", "stock": 1}, {"sku": "B-GIFT", "stock": 2}]
            await run.sale(stock=50, **GIFTS | {"gifts": few})
            answers = await asyncio.gather(*(run.check_out(f"k{n}") for n in range(20)))
            assert {answer.status_code for answer in answers} == {201}
            assert await run.stock("A-GIFT") == (0, 1, 0)
            assert await run.stock("B-GIFT") == (0, 2, 0)
            assert await run.stock() == (30, 20, 0)

    asyncio.run(scenario())


def test_an_order_that_costs_nothing_is_paid_without_a_charge(
    shop_dsn: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale(promotions=[{**HALF, "off": {"percent": 100}}])
            order_id = await run.ordered("k")
            assert (await order(run, order_id))["total"] == 0
            for replayed in (None, "true"):
                answer = await run.pay(order_id, "p")
                assert (answer.status_code, answer.json()["amount"]) == (200, 0), answer.text
                assert answer.headers.get("Idempotent-Replayed") == replayed
            assert (await run.pay(order_id, "p", method="other")).status_code == 422
            assert await run.status(order_id) == "paid"
            assert run.charges(order_id) == []
            assert await run.stock() == (9, 0, 1)
            refund = await run.client.post(
                f"/v1/orders/{order_id}/refunds", json={}, headers={"Idempotency-Key": "r"}
            )
            assert refund.json()["code"] == "not_refundable"

    asyncio.run(scenario())


def test_the_ledger_names_every_refund(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with documented_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            assert (await run.pay(order_id, "p")).status_code == 200
            for key, wish in (("r1", {"amount": 900}), ("r2", {"restock": True})):
                answer = await run.client.post(
                    f"/v1/orders/{order_id}/refunds", json=wish, headers={"Idempotency-Key": key}
                )
                assert answer.status_code == 201, answer.text
            refunds = [row for row in await run.ledger() if row["table"] == "order_refunds"]
            told = {row["amount"]: (row["restock"], row["state"]) for row in refunds}
            assert told == {900: (False, "succeeded"), 9000: (True, "succeeded")}
            assert {row["order_id"] for row in refunds} == {order_id}

    asyncio.run(scenario())
