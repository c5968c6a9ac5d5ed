"""What the shop concludes from each kind of answer, with a provider made of one function."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import httpx
import pytest

from target_app.metrics import Metrics
from target_app.payments.breaker import Breaker
from target_app.payments.findings import Spared
from target_app.payments.provider_client import (
    CALLS_AT_ONCE,
    Captured,
    Charge,
    Declined,
    NeverSeen,
    ProviderClient,
    Unknown,
)

CHARGE = Charge("o_1", "order:o_1:pay:1", 100, "EUR", "card")
INTENT = {"id": "ch_1", "psp_key": CHARGE.psp_key, "amount": 100}
SUCCEEDED = INTENT | {"status": "succeeded", "captured": True}
DECLINED = INTENT | {"status": "declined", "captured": False}

T = TypeVar("T")
Answering = Callable[[httpx.Request], Awaitable[httpx.Response]]


def ask(answering: Answering, question: Callable[[ProviderClient], Awaitable[T]]) -> T:
    async def scenario() -> T:
        transport = httpx.MockTransport(answering)
        async with httpx.AsyncClient(transport=transport, base_url="http://provider") as http:
            return await question(ProviderClient(http, timeout_s=0.05, metrics=Metrics("test")))

    return asyncio.run(scenario())


def says(status: int, body: object = None) -> Answering:
    async def answering(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=body)

    return answering


def breaks(error: Exception) -> Answering:
    async def answering(_request: httpx.Request) -> httpx.Response:
        raise error

    return answering


async def page(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, html="<html>Please try again</html>")


async def packed_badly(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, stream=Torn(), headers={"Content-Encoding": "gzip"})


class Torn(httpx.AsyncByteStream):
    """A body that is not what its header says."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"not gzip"


async def silent(_request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(60)
    raise AssertionError


@pytest.mark.parametrize(
    ("answering", "expected"),
    [
        (says(200, SUCCEEDED), Captured("ch_1", 100)),
        (says(200, DECLINED), Declined("ch_1")),
        (
            says(200, INTENT | {"status": "processing", "captured": False}),
            Unknown("status processing"),
        ),
        (says(500), Unknown("status 500")),
        (says(503), Unknown("status 503")),
        (says(422), Unknown("status 422")),
        (page, Unknown("unreadable answer: JSON is malformed: invalid character (byte 0)")),
        (
            says(200, {"id": "ch_1"}),
            Unknown("unreadable answer: Object missing required field `status`"),
        ),
        (packed_badly, Unknown("DecodingError")),
        (breaks(httpx.ReadError("reset")), Unknown("ReadError")),
        (breaks(httpx.RemoteProtocolError("cut")), Unknown("RemoteProtocolError")),
        (breaks(httpx.ConnectError("refused")), Unknown("ConnectError")),
        (silent, Unknown("timeout")),
    ],
)
def test_only_an_answer_is_an_answer(answering: Answering, expected: object) -> None:
    finding = ask(answering, lambda client: client.charge(CHARGE))
    assert finding == expected


@pytest.mark.parametrize(
    ("answering", "expected"),
    [
        (says(200, {"intents": [SUCCEEDED]}), Captured("ch_1", 100)),
        (says(200, {"intents": [SUCCEEDED | {"psp_key": "another"}]}), NeverSeen()),
        (says(200, {"intents": []}), NeverSeen()),
        (says(502), Unknown("status 502")),
        (page, Unknown("unreadable answer: JSON is malformed: invalid character (byte 0)")),
        (says(200, {}), Unknown("unreadable answer: Object missing required field `intents`")),
    ],
)
def test_finding_looks_for_its_own_charge(answering: Answering, expected: object) -> None:
    finding = ask(answering, lambda client: client.find(order_id="o_1", psp_key=CHARGE.psp_key))
    assert finding == expected


@pytest.mark.parametrize(
    "answering",
    [page, says(200, {}), says(200, {"id": "re", "status": "?"})],
    ids=["a page", "nothing", "another word"],
)
def test_a_refund_is_done_on_a_clear_word_alone(answering: Answering) -> None:
    answer = ask(answering, lambda client: client.refund(psp_ref="ch", psp_key="k", amount=1))
    assert isinstance(answer, Unknown)


def test_a_call_that_was_not_made_is_counted_apart() -> None:
    async def question(client: ProviderClient) -> dict[str, float]:
        breaker = Breaker(lambda: 0.0, failures_max=1)
        breaker.failed()
        client.breaker = breaker
        assert await client.charge(CHARGE) == Spared("breaker open")
        hanging = [
            asyncio.create_task(client.refund(psp_ref="ch", psp_key=str(n), amount=1))
            for n in range(CALLS_AT_ONCE["refund"])
        ]
        await asyncio.sleep(0)
        refused = await client.refund(psp_ref="ch", psp_key="one more", amount=1)
        assert refused == Spared("bulkhead full")
        await asyncio.gather(*hanging)
        calls = client._metrics.provider_calls.collect()
        return {
            f"{sample.labels['call']} {sample.labels['result']}": sample.value
            for family in calls
            for sample in family.samples
            if sample.name.endswith("_total")
        }

    counted = ask(silent, question)
    assert counted == {
        "charge spared": 1,
        "refund spared": 1,
        "refund unknown": CALLS_AT_ONCE["refund"],
    }


def test_the_key_goes_with_the_charge() -> None:
    seen: list[tuple[str, str | None]] = []

    async def answering(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, request.headers.get("Idempotency-Key")))
        return httpx.Response(200, json=SUCCEEDED)

    ask(answering, lambda client: client.charge(CHARGE))
    ask(answering, lambda client: client.refund(psp_ref="ch_1", psp_key="k", amount=1))
    assert seen == [("/psp/intents", CHARGE.psp_key), ("/psp/refunds", "k:refund")]
