"""Each planted flaw shows: the check it names fails, and passes on the same story without it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from target_app.flaws.table import FLAWS
from target_app.jobs import expire_holds, run_once
from target_app.payments.findings import Charge
from target_app.signatures import SIGNATURE_HEADER, sign
from tests.fault.shop_verdicts import verdicts
from tests.integration.running_shop import OPS, Rehearsed, lock_waits, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = [pytest.mark.integration, pytest.mark.fault]

BURSTS = 4


async def announce(run: Rehearsed, order_id: str, *, event: str) -> None:
    """Deliver the provider's word of a capture."""
    (charge, *_) = run.charges(order_id)
    body = msgspec.json.encode(
        {
            "id": event,
            "type": "payment.succeeded",
            "intent_id": charge["charge_id"],
            "merchant_ref": order_id,
            "psp_key": charge["psp_key"],
            "amount": charge["amount"],
        }
    )
    headers = {SIGNATURE_HEADER: sign(body, "webhooks")}
    answer = await run.client.post("/v1/webhooks/psp", content=body, headers=headers)
    assert answer.status_code == 200, answer.text


async def lapse(run: Rehearsed) -> None:
    for table in ("orders", "reservations"):
        await run.age("expires_at", table=table, by_s=3600)


async def come_to_rest(run: Rehearsed) -> None:
    await lapse(run)
    await expire_holds(run.shop)


async def a_rush(run: Rehearsed) -> None:
    """Thirty buyers for ten units, and whoever got one pays."""
    answers = await asyncio.gather(*(run.check_out(f"k{n}") for n in range(30)))
    orders = [answer.json()["order_id"] for answer in answers if answer.status_code == 201]
    for n, order_id in enumerate(orders):
        await run.pay(order_id, f"p{n}")


async def a_repeated_checkout(run: Rehearsed) -> None:
    first, second = await run.check_out("k"), await run.check_out("k")
    assert (first.status_code, second.status_code) == (201, 201)
    await come_to_rest(run)


async def an_end_of_holds(run: Rehearsed) -> None:
    """One buyer cancels, one pays, one only leaves."""
    cancelled, paid, _left = [await run.ordered(f"k{n}") for n in range(3)]
    await run.client.post(f"/v1/orders/{cancelled}/cancel")
    assert (await run.pay(paid, "p")).status_code == 200
    await come_to_rest(run)
    await run_once(run.shop)


async def silence_after_capture(run: Rehearsed) -> None:
    run.behave(mode="timeout_after_capture", first=1)
    order_id = await run.ordered("k")
    await run.pay(order_id, "p")
    for column in ("created_at", "next_query_at"):
        await run.age(column, table="payments", by_s=5)


async def silence_beyond_the_hold(run: Rehearsed) -> None:
    await silence_after_capture(run)
    await come_to_rest(run)


async def money_after_the_hold(run: Rehearsed) -> None:
    """The charge was made, its reply was lost with the order's intent, and the word comes late."""
    late = await run.ordered("late")
    await run.shop.provider.charge(Charge(late, f"order:{late}:pay:1", 9900, "EUR", "card"))
    await come_to_rest(run)
    await announce(run, late, event="evt")


async def a_declined_card(run: Rehearsed) -> None:
    await run.pay(await run.ordered("good"), "p0")
    await run.pay(await run.ordered("k"), "p", method="card_declined")
    await come_to_rest(run)


async def a_webhook_after_the_reply(run: Rehearsed) -> None:
    order_id = await run.ordered("k")
    assert (await run.pay(order_id, "p")).status_code == 200
    await announce(run, order_id, event="evt")


async def a_webhook_after_the_refund(run: Rehearsed) -> None:
    await run.pay(await run.ordered("kept"), "p0")
    order_id = await run.ordered("k")
    await run.pay(order_id, "p")
    refund = await run.client.post(
        f"/v1/orders/{order_id}/refunds", json={"restock": True}, headers={"Idempotency-Key": "r"}
    )
    assert refund.status_code == 201, refund.text
    await announce(run, order_id, event="evt")


async def one_buyer_at_once(run: Rehearsed) -> None:
    """One buyer, who may have one, asks eight times, and the stock row lets nobody finish first."""
    item = {"sku": "HOT", "stock": 10, "price": 9900, "limit_per_user": 1}
    await run.sale(items=[item, {"sku": "BASE", "stock": 100, "price": 100}])
    async with run.shop.database.transaction() as outside:
        await outside.execute("SELECT FROM stock WHERE sku = 'HOT' FOR UPDATE")
        tries = [asyncio.create_task(run.check_out(f"k{n}", customer="b")) for n in range(8)]
        await lock_waits(run, len(tries))
    answers = await asyncio.gather(*tries)
    orders = [answer.json()["order_id"] for answer in answers if answer.status_code == 201]
    for order_id in orders:
        await run.pay(order_id, f"pay {order_id}")


async def orders_of_two(run: Rehearsed) -> None:
    """Many want one of a SKU and fifty of another, which there are only for two of them."""
    both = {"HOT": 1, "BASE": 50}
    await asyncio.gather(*(run.check_out(f"k{n}", lines=both) for n in range(12)))
    await come_to_rest(run)


async def a_webhook_after_silence(run: Rehearsed) -> None:
    run.behave(mode="timeout_after_capture", first=1)
    order_id = await run.ordered("k")
    assert (await run.pay(order_id, "p")).status_code == 202
    await announce(run, order_id, event="evt")
    await announce(run, order_id, event="evt")


STORIES: dict[str, Callable[[Rehearsed], Awaitable[None]]] = {
    "W2": a_rush,
    "W3": a_rush,
    "W12": a_repeated_checkout,
    "W13": an_end_of_holds,
    "W16": an_end_of_holds,
    "W19": money_after_the_hold,
    "P1": silence_after_capture,
    "P3": silence_beyond_the_hold,
    "P4": a_declined_card,
    "P7": a_webhook_after_the_reply,
    "P8": a_webhook_after_the_refund,
    "P10": a_rush,
    "W15": orders_of_two,
    "W18": one_buyer_at_once,
    "P2": silence_after_capture,
    "P5": silence_after_capture,
    "P9": a_webhook_after_silence,
}


def test_every_flaw_has_a_story() -> None:
    alone = {flaw for flaw, (known, _plant) in FLAWS.items() if "standby" not in known.needs}
    assert set(STORIES) == alone - {"W15b"}


@pytest.mark.parametrize("flaw", STORIES)
def test_a_flaw_fails_the_checks_it_names(shop_dsn: str, tmp_path: Path, flaw: str) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, flaws=(flaw,)) as run:
            await run.sale(stock=10)
            await STORIES[flaw](run)
            rulings = await verdicts(run)
            description, _plant = FLAWS[flaw]
            assert {check: rulings[check] for check in description.seen_by} == dict.fromkeys(
                description.seen_by, "fail"
            )

    asyncio.run(scenario())


@pytest.mark.parametrize("story", sorted(set(STORIES.values()), key=lambda story: story.__name__))
def test_the_correct_shop_passes_them_all(
    shop_dsn: str, tmp_path: Path, story: Callable[[Rehearsed], Awaitable[None]]
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=10)
            await story(run)
            assert "fail" not in (rulings := await verdicts(run)).values(), rulings
            seen = [
                check
                for flaw, told in STORIES.items()
                if told is story
                for check in FLAWS[flaw][0].seen_by
            ]
            assert {rulings[check] for check in seen} == {"pass"}

    asyncio.run(scenario())


@pytest.mark.parametrize(("flaws", "leaves"), [(("W15",), True), ((), False)])
def test_skus_taken_one_by_one_stay_held_by_no_order(
    shop_dsn: str, tmp_path: Path, flaws: tuple[str, ...], leaves: bool
) -> None:
    """The units of those whose second SKU was sold out, once all orders have come to rest."""

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, flaws=flaws) as run:
            await run.sale(stock=10)
            await orders_of_two(run)
            taken = (await run.client.post("/ops/stocktake", headers=OPS)).json()["skus"]
            held = {line["sku"]: line["counter"]["reserved"] for line in taken}
            assert {line["orders"]["reserved"] for line in taken} == {0}
            assert (sum(held.values()) > 0) is leaves, held

    asyncio.run(scenario())


@pytest.mark.parametrize(("flaws", "errs"), [(("W15b",), True), ((), False)])
def test_skus_taken_in_no_order_end_in_deadlocks(
    shop_dsn: str, tmp_path: Path, flaws: tuple[str, ...], errs: bool
) -> None:
    """Buyers of the same two SKUs in bursts, until the database has ended one of them."""

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, flaws=flaws) as run:
            await run.sale(stock=BURSTS * 10)
            codes: set[int] = set()
            for burst in range(BURSTS):
                both = {"HOT": 1, "BASE": 1}
                crowd = (run.check_out(f"k{burst}-{n}", lines=both) for n in range(10))
                codes |= {answer.status_code for answer in await asyncio.gather(*crowd)}
                if 503 in codes:
                    break
            assert codes == ({201, 503} if errs else {201})
            assert (await deadlocks(run) > 0) is errs
            assert (await verdicts(run, stock=BURSTS * 10))["stock_conserved"] == "pass"

    asyncio.run(scenario())


async def deadlocks(run: Rehearsed) -> int:
    """Return how many the database has ended; a session tells when it has nothing else to do."""
    await asyncio.sleep(1.5)
    async with run.shop.database.connection() as connection:
        found = await connection.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
    return int(found)
