"""The provider's calls as they should go: hold, capture, void, refund, settle."""

import asyncio
import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.integration.running_provider import Provided, running_provider

pytestmark = pytest.mark.integration


def told(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body["code"] if answer.is_error else body["status"]


def test_what_is_held_is_captured_once_and_never_above(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            held = await psp.held()
            assert [(i["status"], i["captured"]) for i in await psp.found()] == [
                ("requires_capture", False)
            ]
            above = await psp.act(held, "capture", amount=101)
            assert told(above) == (422, "amount_above_authorized")
            captured = await psp.act(held, "capture", amount=60)
            assert told(captured) == (200, "succeeded")
            assert captured.json()["amount"] == 60
            assert captured.json()["amount_authorized"] == 100
            assert told(await psp.act(held, "capture", amount=60)) == (200, "succeeded")
            assert told(await psp.act(held, "capture", amount=40)) == (409, "already_captured")
            assert told(await psp.act(held, "cancel")) == (409, "already_captured")
            assert told(await psp.refund(held, amount=61)) == (409, "not_refundable")
            assert (await psp.refund(held, amount=60)).status_code == 200
            lines = [line for line in psp.simulator.book.lines() if line["table"] == "charges"]
            assert [(line["amount"], line["state"]) for line in lines] == [(60, "captured")]

    asyncio.run(scenario())


def test_a_cancelled_charge_never_takes_money(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            held = await psp.held()
            for _ in range(2):
                assert told(await psp.act(held, "cancel")) == (200, "canceled")
            assert told(await psp.act(held, "capture")) == (409, "not_capturable")
            assert told(await psp.refund(held)) == (409, "not_refundable")
            # The shop's charge that was on its way all the time finds the door closed.
            assert told(await psp.charge(capture_method="manual")) == (200, "canceled")
            await psp.rests()
            types = [heard.type for heard in psp.shop.heard]
            assert types == ["payment.authorized", "payment.canceled"]

    asyncio.run(scenario())


def test_a_key_taken_in_advance_keeps_a_late_charge_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            taken = (await psp.charge(confirm=False)).json()["id"]
            assert told(await psp.charge()) == (422, "key_mismatch")
            assert told(await psp.act(taken, "cancel")) == (200, "canceled")
            assert told(await psp.charge()) == (422, "key_mismatch")
            assert [charge["status"] for charge in await psp.found()] == ["canceled"]

    asyncio.run(scenario())


def test_a_declined_charge_is_closed_already(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            declined = (await psp.charge(method="card_declined")).json()["intent"]["id"]
            assert told(await psp.act(declined, "cancel")) == (200, "declined")
            assert told(await psp.act(declined, "capture")) == (409, "not_capturable")
            assert told(await psp.act(declined, "confirm")) == (402, "card_declined")

    asyncio.run(scenario())


def test_an_unconfirmed_charge_waits(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            opened = [(await psp.charge(key, confirm=False)).json() for key in ("a", "b", "c")]
            assert {intent["status"] for intent in opened} == {"requires_confirmation"}
            assert list(psp.simulator.book.lines()) == []
            a, b, _c = (intent["id"] for intent in opened)
            for _ in range(2):
                assert told(await psp.act(a, "confirm")) == (200, "succeeded")
            assert told(await psp.act(b, "cancel")) == (200, "canceled")
            assert told(await psp.act(b, "confirm")) == (409, "not_confirmable")
            await psp.behave({"mode": "decline"})
            assert told(await psp.act(opened[2]["id"], "confirm")) == (402, "card_declined")

    asyncio.run(scenario())


def test_who_is_not_there_and_what_is_malformed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            for verb in ("confirm", "capture", "cancel"):
                assert told(await psp.act("ch_none", verb)) == (404, "unknown_intent")
            assert told(await psp.client.get("/psp/intents/ch_none")) == (404, "unknown_intent")
            assert await psp.found("nobody") == []
            held = await psp.held()
            shown = (await psp.client.get(f"/psp/intents/{held}")).json()
            assert [shown] == await psp.found()
            assert told(await psp.charge(amount=99)) == (422, "key_mismatch")
            assert told(await psp.charge()) == (422, "key_mismatch")  # not to be captured later
            assert told(await psp.charge("x", capture_method="later")) == (422, "invalid_body")
            keyless = await psp.client.post("/psp/refunds", json={"intent_id": held, "amount": 1})
            assert told(keyless) == (400, "key_missing")
            assert told(await psp.client.get("/psp/settlement?day=soon")) == (
                422,
                "invalid_request",
            )

    asyncio.run(scenario())


async def settled(psp: Provided, day: str) -> list[dict[str, str]]:
    answer = await psp.client.get("/psp/settlement", params={"day": day})
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_settlement_of_a_day_and_a_wrong_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            day = datetime.now(UTC).date().isoformat()
            taken = (await psp.charge("a", amount=10_000)).json()["id"]
            other = (await psp.charge("b", amount=500)).json()["id"]
            await psp.charge("c", method="card_declined")
            await psp.held("d")
            given_back = (await psp.refund(taken, amount=400)).json()["id"]
            true = await settled(psp, day)
            assert [(line["ref"], line["type"], line["amount"], line["fee"]) for line in true] == [
                (taken, "charge", "10000", "60"),
                (other, "charge", "500", "3"),
                (given_back, "refund", "-400", "0"),
            ]
            assert await settled(psp, "2020-02-02") == []
            for difference, amounts in (
                ("amount", ["10001", "500", "-400"]),
                ("missing", ["500", "-400"]),
                ("double", ["10000", "10000", "500", "-400"]),
            ):
                await psp.behave(
                    {"mode": "settlement_mismatch", "first": 1, "difference": difference}
                )
                for _ in range(2):
                    assert [line["amount"] for line in await settled(psp, day)] == amounts
            await psp.behave({"mode": "normal"})
            assert await settled(psp, day) == true

    if datetime.now(UTC).hour == 23 and datetime.now(UTC).minute == 59:
        pytest.skip("the day may end meanwhile")
    asyncio.run(scenario())
