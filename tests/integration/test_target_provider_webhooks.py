"""Events of the provider as the shop hears them, well and badly delivered."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.running_provider import running_provider

pytestmark = pytest.mark.integration


def test_an_event_is_told_once_signed_and_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            held = await psp.held()
            await psp.rests()
            await psp.act(held, "capture", amount=70)
            await psp.rests()
            await psp.refund(held, amount=30)
            await psp.charge("b", method="card_declined")
            await psp.rests()
            heard = [(each.type, each.event["amount"]) for each in psp.shop.heard]
            assert heard[:2] == [("payment.authorized", 100), ("payment.succeeded", 70)]
            assert sorted(heard[2:]) == [("payment.declined", 100), ("payment.refunded", 30)]
            assert all(each.signed for each in psp.shop.heard)
            refunded = next(e.event for e in psp.shop.heard if e.type == "payment.refunded")
            assert (refunded["intent_id"], refunded["psp_key"]) == (held, "k")
            assert refunded["merchant_ref"] == "o_k"

    asyncio.run(scenario())


def test_a_delivery_is_repeated_until_it_arrives(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            psp.shop.refusals = [500, 404]
            await psp.charge()
            await psp.rests()
            (event,) = await psp.events(delivered=True)
            assert [tried["status"] for tried in event["deliveries"]] == [500, 404, 200]
            assert len({each.event["id"] for each in psp.shop.heard}) == 1
            assert await psp.events(delivered=False) == []

    asyncio.run(scenario())


def test_delivery_gives_up_and_the_list_still_tells(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            psp.shop.refusals = [503] * 3
            charge_id = (await psp.charge()).json()["id"]
            await psp.until(lambda: len(psp.shop.heard) == 3)
            await asyncio.sleep(0.3)  # a fourth would come within 0.08 s
            assert len(psp.shop.heard) == 3
            (missed,) = await psp.events(delivered=False)
            assert (missed["intent_id"], missed["type"]) == (charge_id, "payment.succeeded")

    asyncio.run(scenario())


def test_events_are_listed_page_by_page(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "webhook_lost"})
            for n in range(5):
                await psp.charge(f"k{n}")
            seen: list[str] = []
            while page := await psp.events(
                delivered=False, limit=2, **({"after": seen[-1]} if seen else {})
            ):
                seen += [event["id"] for event in page]
            assert seen == [event["id"] for event in await psp.events()]
            assert len(set(seen)) == 5
            assert psp.shop.heard == []

    asyncio.run(scenario())


@pytest.mark.parametrize("concurrent", [False, True])
def test_duplicates_have_one_id(tmp_path: Path, concurrent: bool) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave(
                {"mode": "webhook_duplicate", "copies": 4, "concurrent": concurrent, "first": 1}
            )
            await psp.charge("a")
            await psp.charge("b")
            await psp.until(lambda: len(psp.shop.heard) == 5)
            told = [each.event["merchant_ref"] for each in psp.shop.heard]
            assert (told.count("o_a"), told.count("o_b")) == (4, 1)
            assert len({each.event["id"] for each in psp.shop.heard}) == 2
            if concurrent:
                assert psp.shop.most_at_once >= 3

    asyncio.run(scenario())


def test_a_lost_event_is_only_in_the_list(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "webhook_lost", "first": 1})
            await psp.charge("a")
            await psp.charge("b")
            await psp.rests()
            assert [each.event["merchant_ref"] for each in psp.shop.heard] == ["o_b"]
            (lost,) = await psp.events(delivered=False)
            assert (lost["merchant_ref"], lost["deliveries"]) == ("o_a", [])

    asyncio.run(scenario())


def test_a_delayed_event_comes_after_the_answer_and_the_delay(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "webhook_delay", "delay_s": 0.4})
            begun_s = asyncio.get_running_loop().time()
            await psp.charge()
            assert psp.shop.heard == []
            await psp.rests()
            assert asyncio.get_running_loop().time() - begun_s >= 0.4
            assert len(psp.shop.heard) == 1

    asyncio.run(scenario())


def test_an_event_may_come_before_the_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            psp.shop.pause_s = 0.5
            await psp.behave({"mode": "webhook_before_response", "first": 1})
            await psp.charge("before")
            assert [each.event["psp_key"] for each in psp.shop.heard] == ["before"]
            psp.shop.pause_s = 5.0
            await psp.charge("after")
            assert len(psp.shop.heard) == 1

    asyncio.run(scenario())


def test_a_refund_may_be_told_before_its_charge(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "webhook_reorder", "first": 1, "delay_s": 15})
            charge_id = (await psp.charge()).json()["id"]
            await psp.charge("other")
            await psp.until(lambda: len(psp.shop.heard) == 1)
            await psp.refund(charge_id)
            await psp.rests()
            told = [(each.type, each.event["psp_key"]) for each in psp.shop.heard]
            assert told == [
                ("payment.succeeded", "other"),
                ("payment.refunded", "k"),
                ("payment.succeeded", "k"),
            ]

    asyncio.run(scenario())


def test_what_nothing_overtakes_comes_all_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "webhook_reorder", "delay_s": 0.1})
            await psp.charge()
            await psp.rests()
            assert [each.type for each in psp.shop.heard] == ["payment.succeeded"]

    asyncio.run(scenario())


def test_a_forged_event_has_another_signature(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "webhook_bad_signature", "first": 1})
            psp.shop.refusals = [400] * 3
            await psp.charge("a")
            await psp.until(lambda: len(psp.shop.heard) == 3)
            await psp.charge("b")
            await psp.until(lambda: len(psp.shop.heard) == 4)
            assert [each.signed for each in psp.shop.heard] == [False] * 3 + [True]

    asyncio.run(scenario())
