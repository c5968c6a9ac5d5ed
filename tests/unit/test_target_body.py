"""Bodies that come too late or are too large, at the door of the shop."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from target_app.admission.body import OPERATORS_BYTES_MAX, BoundedBody, bytes_max
from target_app.problems import ProblemError

ENDLESS_S = 3600.0


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class Sender:
    """Sends its parts, with a pause before each, and then nothing more for as long as one asks."""

    def __init__(self, parts: Sequence[dict[str, Any]], *, pause_s: float = 0) -> None:
        self._parts = list(parts)
        self._pause_s = pause_s

    async def __call__(self) -> Any:
        await asyncio.sleep(self._pause_s if self._parts else ENDLESS_S)
        return self._parts.pop(0)


async def whole(bounded: BoundedBody) -> bytes:
    body = b""
    while True:
        message = await bounded()
        body += message["body"]
        if not message["more_body"]:
            return body


def read(sender: Sender, *, within_s: float = 60, most: int = 10) -> bytes:
    async def scenario() -> bytes:
        return await whole(BoundedBody(sender, within_s=within_s, bytes_max=most))

    return asyncio.run(scenario())


def test_a_body_in_parts_arrives_whole_up_to_the_last_byte() -> None:
    assert read(Sender([part(b"12345", more=True), part(b"67890", more=False)])) == b"1234567890"


@pytest.mark.parametrize("announced", [True, False])
def test_one_byte_more_is_too_large(announced: bool) -> None:
    with pytest.raises(ProblemError, match="413 body_too_large") as raised:
        read(Sender([part(b"123456", more=True), part(b"78901", more=announced)]))
    assert raised.value.details == {"detail": "expected at most 10 bytes"}


@pytest.mark.parametrize(
    "sender",
    [Sender([]), Sender([part(b"1", more=True)] * 9, pause_s=0.05)],
    ids=["silent", "dripping"],
)
def test_the_deadline_is_for_all_of_it_and_ends_the_connection(sender: Sender) -> None:
    with pytest.raises(ProblemError, match="408 body_too_slow") as raised:
        read(sender, within_s=0.1)
    assert raised.value.headers == {"Connection": "close"}
    assert raised.value.details == {"detail": "expected the whole body within 0.1 s"}


def test_what_comes_after_the_body_has_no_deadline() -> None:
    """Whoever streams an answer waits there for the other side to go away."""

    async def scenario() -> None:
        left = {"type": "http.disconnect"}
        sender = Sender([part(b"", more=False), left], pause_s=0.1)
        bounded = BoundedBody(sender, within_s=0.15, bytes_max=10)
        assert await whole(bounded) == b""
        await asyncio.sleep(0.1)
        assert await bounded() == left

    asyncio.run(scenario())


def test_operators_may_send_whole_sales() -> None:
    assert bytes_max("/ops/sale") == OPERATORS_BYTES_MAX > bytes_max("/v1/checkouts") >= 65536
