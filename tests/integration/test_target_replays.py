"""A hundred replays of one key make one order and one charge, also after a first one cut short."""

import asyncio
from pathlib import Path

import pytest

from target_app.jobs import run_once
from target_app.payments.steps import Step
from tests.integration.running_shop import Rehearsed, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

REPLAYS = 100


class CutError(Exception):
    """The process might as well have ended here."""


async def cut_checkout(run: Rehearsed, *, turns: int) -> None:
    """Begin the checkout and end it after so many turns of the loop, as a hung-up client would."""
    first = asyncio.create_task(run.check_out("k"))
    for _ in range(turns):
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize("turns", [0, 12, 25, 40])
def test_one_key_makes_one_order(shop_dsn: str, tmp_path: Path, turns: int) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=REPLAYS * 2)
            await cut_checkout(run, turns=turns)
            answers = await asyncio.gather(*(run.check_out("k") for _ in range(REPLAYS)))
            answers.append(await run.check_out("k"))
            in_flight = [a.json()["code"] for a in answers if a.status_code == 409]
            assert set(in_flight) <= {"key_in_flight"}
            placed = {a.json()["order_id"] for a in answers if a.status_code == 201}
            assert len(placed) == 1
            assert len(in_flight) + sum(a.status_code == 201 for a in answers) == REPLAYS + 1
            orders = [r for r in await run.ledger() if r["table"] == "orders"]
            assert {row["order_id"] for row in orders} == placed
            assert await run.stock() == (REPLAYS * 2 - 1, 1, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("at", [None, *list(Step)[:3]])
def test_one_key_makes_one_charge(shop_dsn: str, tmp_path: Path, at: Step | None) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            cuts = [at]

            def cut(step: Step) -> None:
                if step in cuts:
                    cuts.clear()
                    raise CutError(step)

            run.shop.step = cut
            if at is not None:
                assert (await run.pay(order_id, "p")).status_code == 500
                assert cuts == []
            answers = await asyncio.gather(*(run.pay(order_id, "p") for _ in range(REPLAYS)))
            assert {a.status_code for a in answers} <= {200, 202}
            for column in ("created_at", "next_query_at"):
                await run.age(column, table="payments", by_s=10)
            await asyncio.gather(*(run_once(run.shop) for _ in range(3)))
            assert (await run.pay(order_id, "p")).status_code == 200
            assert [c["state"] for c in run.charges(order_id)] == ["captured"]
            payments = [r for r in await run.ledger() if r["table"] == "payments"]
            assert [row["state"] for row in payments] == ["captured"]
            assert await run.stock() == (9, 0, 1)

    asyncio.run(scenario())


def test_one_key_makes_one_refund(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            await run.pay(order_id, "p")
            path, key = f"/v1/orders/{order_id}/refunds", {"Idempotency-Key": "r"}
            answers = await asyncio.gather(
                *(run.client.post(path, json={"restock": True}, headers=key) for _ in range(20))
            )
            assert {a.status_code for a in answers} <= {201, 202}
            assert len({a.json()["refund_id"] for a in answers}) == 1
            assert await run.status(order_id) == "refunded"
            refunds = [r for r in run.simulator.book.lines() if r["table"] == "refunds"]
            assert [r["amount"] for r in refunds] == [9900]
            assert await run.stock() == (10, 0, 0)

    asyncio.run(scenario())
