"""Head and body of an answer in one piece, and nothing held back for long."""

import asyncio
from typing import cast

from target_app.corking import Corked


class Wire:
    """Stands in for a transport and lists what is done to it."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def write(self, piece: bytes) -> None:
        self.done.append(piece)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return False


def corked(wire: Wire) -> Corked:
    return Corked(cast("asyncio.Transport", wire), asyncio.get_running_loop())


def test_two_writes_are_one_and_a_single_one_waits_for_a_turn_at_most() -> None:
    async def scenario() -> None:
        wire = Wire()
        transport = corked(wire)
        transport.write(b"head,")
        assert wire.done == []
        transport.write(b"body")
        assert wire.done == [b"head,body"]
        transport.write(b"alone")
        await asyncio.sleep(0)
        assert wire.done == [b"head,body", b"alone"]
        assert transport.is_closing() is False

    asyncio.run(scenario())


def test_what_is_held_goes_out_before_the_end() -> None:
    async def scenario() -> None:
        wire = Wire()
        transport = corked(wire)
        transport.write(b"head")
        transport.close()
        await asyncio.sleep(0)
        assert wire.done == [b"head", "closed"]

    asyncio.run(scenario())
