"""Each mode of the provider as its caller feels it, over real connections."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.running_provider import Provided, running_provider

pytestmark = pytest.mark.integration


def states(provided: Provided) -> list[str]:
    return [row["state"] for row in provided.simulator.book.lines() if row["table"] == "charges"]


@pytest.mark.parametrize("mode", ["timeout_after_capture", "timeout_before"])
def test_silence_after_and_before_the_effect(tmp_path: Path, mode: str) -> None:
    taken = 1 if mode == "timeout_after_capture" else 0

    async def scenario() -> None:
        async with running_provider(tmp_path, timeout_s=0.5) as psp:
            await psp.behave({"mode": mode, "first": 1})
            with pytest.raises(httpx.ReadTimeout):
                await psp.charge()
            assert len(await psp.found()) == taken
            again = await psp.charge()
            assert (again.status_code, again.json()["status"]) == (200, "succeeded")
            assert ("Idempotent-Replayed" in again.headers) is bool(taken)
            assert states(psp) == ["captured"]

    asyncio.run(scenario())


def test_a_connection_is_cut_in_the_middle_of_the_answer(tmp_path: Path) -> None:
    """The raw bytes: the promised length is not what comes, and then the connection is gone."""

    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "reset_mid_response", "first": 1})
            with pytest.raises(httpx.RemoteProtocolError):
                await psp.charge()
            (charge,) = await psp.found()
            assert charge["status"] == "succeeded"
            assert (await psp.charge()).json() == charge
            (event,) = await psp.events()
            assert (event["delivered"], event["deliveries"], psp.shop.heard) == (False, [], [])

    asyncio.run(scenario())


def test_an_unanswered_charge_may_be_announced_all_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path, timeout_s=1.0) as psp:
            await psp.behave({"mode": "timeout_after_capture", "announce": True})
            with pytest.raises(httpx.ReadTimeout):
                await psp.charge()
            await psp.rests()
            assert [heard.type for heard in psp.shop.heard] == ["payment.succeeded"]

    asyncio.run(scenario())


@pytest.mark.parametrize(("effect", "taken"), [(True, ["captured"]), (False, [])])
def test_a_5xx_says_nothing(tmp_path: Path, effect: bool, taken: list[str]) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "soft_5xx", "status": 500, "effect": effect, "first": 1})
            refused = await psp.charge()
            assert (refused.status_code, refused.json()["code"]) == (500, "provider_error")
            assert states(psp) == taken
            assert (await psp.charge()).status_code == 200
            assert states(psp) == ["captured"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("behaviour", "method", "code"),
    [
        ({"mode": "decline", "code": "lost_card"}, "card", "lost_card"),
        ({"mode": "normal"}, "card_declined", "card_declined"),
    ],
)
def test_a_decline_is_definite(
    tmp_path: Path, behaviour: dict[str, Any], method: str, code: str
) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave(behaviour)
            first = await psp.charge(method=method)
            await psp.behave({"mode": "normal"})
            again = await psp.charge(method=method)
            for declined in (first, again):
                problem = declined.json()
                assert (declined.status_code, problem["code"]) == (402, "card_declined")
                assert problem["decline_code"] == code
                assert problem["intent"]["status"] == "declined"
            assert (await psp.found())[0]["decline_code"] == code
            assert states(psp) == ["declined"]

    asyncio.run(scenario())


def test_a_rate_limit_leaves_no_trace(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "rate_limit", "rate_rps": 2})
            answers = [await psp.charge(f"k{n}") for n in range(3)]
            assert [answer.status_code for answer in answers[:2]] == [200, 200]
            answers += [await psp.charge(f"m{n}") for n in range(20)]
            shed = [answer for answer in answers if answer.is_error]
            assert shed
            assert {(a.status_code, a.headers["Retry-After"]) for a in shed} == {(429, "1")}
            assert len(states(psp)) == 23 - len(shed)
            await psp.behave({"mode": "normal"})
            assert (await psp.charge("after")).status_code == 200

    asyncio.run(scenario())


def test_a_brownout_queues_and_then_refuses(tmp_path: Path) -> None:
    """Ten at once for ten a second, and a wait of at most 0.35 s: the first four get a turn."""

    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "brownout", "rate_rps": 10, "delay_s": 0.35})
            begun_s = asyncio.get_running_loop().time()
            answers = await asyncio.gather(*(psp.charge(f"k{n}") for n in range(10)))
            took_s = asyncio.get_running_loop().time() - begun_s
            served = [a for a in answers if a.status_code == 200]
            assert {a.status_code for a in answers} == {200, 429}
            assert len(served) >= 4
            assert took_s >= 0.3
            assert states(psp) == ["captured"] * len(served)

    asyncio.run(scenario())


def test_slow_is_late_and_right(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave({"mode": "slow", "delay_s": 0.4, "on": ["charge", "query"]})
            for call in (psp.charge(), psp.found()):
                begun_s = asyncio.get_running_loop().time()
                await call
                assert asyncio.get_running_loop().time() - begun_s >= 0.4
            assert states(psp) == ["captured"]

    asyncio.run(scenario())


def test_without_idempotency_a_repeated_key_takes_money_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.charge()
            await psp.behave({"mode": "no_idempotency"})
            ids = {(await psp.charge()).json()["id"] for _ in range(2)}
            assert len(ids) == 2
            assert [charge["psp_key"] for charge in await psp.found()] == ["k"] * 3
            assert states(psp) == ["captured"] * 3
            await psp.behave({"mode": "normal"})
            assert (await psp.charge()).json()["id"] not in ids
            assert len(states(psp)) == 3

    asyncio.run(scenario())


def test_an_authorisation_that_expired_cannot_be_captured(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            held = await psp.held()
            await psp.behave({"mode": "auth_expired"})
            lapsed = await psp.act(held, "capture")
            assert (lapsed.status_code, lapsed.json()["code"]) == (409, "authorization_expired")
            assert states(psp) == ["voided"]
            await psp.rests()
            types = [heard.type for heard in psp.shop.heard]
            assert types == ["payment.authorized", "payment.canceled"]

    asyncio.run(scenario())


def test_the_next_three_are_three_of_fifty_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            await psp.behave(
                {"mode": "soft_5xx", "first": 3},
                {"mode": "decline", "first": 2},
                {"mode": "slow", "delay_s": 0.05, "share": 0.5},
            )
            answers = await asyncio.gather(*(psp.charge(f"k{n}") for n in range(50)))
            statuses = [answer.status_code for answer in answers]
            assert (statuses.count(503), statuses.count(402), statuses.count(200)) == (3, 2, 45)
            assert sorted(states(psp)) == ["captured"] * 45 + ["declined"] * 2

    asyncio.run(scenario())


def test_behaviours_are_switched_while_it_runs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_provider(tmp_path) as psp:
            statuses = []
            for mode in ("normal", "decline", "soft_5xx", "normal"):
                await psp.behave({"mode": mode})
                assert (await psp.client.get("/psp/_sim")).json()["mode"] == mode
                statuses.append((await psp.charge(f"{mode}{len(statuses)}")).status_code)
            assert statuses == [200, 402, 503, 200]
            await psp.behave({"mode": "slow", "delay_s": 0}, {"mode": "webhook_lost"})
            told = (await psp.client.get("/psp/_sim")).json()
            assert [each["mode"] for each in told] == ["slow", "webhook_lost"]
            wrong = await psp.client.put("/psp/_sim", json=[{"mode": "slow", "copies": 3}])
            assert wrong.status_code == 422
            assert "slow takes no copies" in wrong.json()["detail"]
            assert (await psp.client.get("/psp/_sim")).json() == told

    asyncio.run(scenario())
