"""What the shop concludes from each kind of answer, with a provider made of one function."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import pytest

from target_app.metrics import Metrics
from target_app.payments.provider_client import (
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
    ],
)
def test_finding_looks_for_its_own_charge(answering: Answering, expected: object) -> None:
    finding = ask(answering, lambda client: client.find(order_id="o_1", psp_key=CHARGE.psp_key))
    assert finding == expected


def test_the_key_goes_with_the_charge() -> None:
    seen: list[tuple[str, str | None]] = []

    async def answering(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, request.headers.get("Idempotency-Key")))
        return httpx.Response(200, json=SUCCEEDED)

    ask(answering, lambda client: client.charge(CHARGE))
    ask(answering, lambda client: client.refund(psp_ref="ch_1", psp_key="k", amount=1))
    assert seen == [("/psp/intents", CHARGE.psp_key), ("/psp/refunds", "k:refund")]
