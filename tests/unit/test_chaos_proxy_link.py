"""How a link wires its stages, with fakes for the sockets on its ends."""

from collections.abc import Callable
from typing import Any

import pytest

from chaos.proxy.link import CHUNK_BYTES_MAX, Link
from chaos.proxy.toxic import Toxic
from tests.proxy_flow import FakeLink


class FakeSide(FakeLink):
    """A socket: what is read from it goes to `receiver`, what is written to it has arrived."""

    receiver: Callable[[bytes], None]

    def __init__(self) -> None:
        super().__init__()
        self.lost = False
        self.paused = False
        self.resets = False
        self.transport: Any = self

    def read_into(self, receiver: Callable[[bytes], None]) -> None:
        self.receiver = receiver

    def write(self, chunk: bytes) -> None:
        self.feed(chunk)

    def close_with_reset(self) -> None:
        self.resets = True

    def pause(self) -> None:
        self.paused = True

    def unpause(self) -> None:
        self.paused = False


@pytest.fixture
def source() -> FakeSide:
    return FakeSide()


@pytest.fixture
def destination() -> FakeSide:
    return FakeSide()


@pytest.fixture
def link(source: Any, destination: Any) -> Link:
    link = Link(source, destination, clock=source.clock, seed="0")
    link.start([])
    return link


def toxic(kind: str, *, toxicity: float = 1, **attributes: int) -> Toxic:
    given = {"latency": 0, "jitter": 0, "timeout": 0, **attributes}
    return Toxic(kind, kind, "downstream", toxicity, given)


def test_link_without_toxics_is_the_other_sockets_write(
    link: Link, source: FakeSide, destination: FakeSide
) -> None:
    assert source.receiver == destination.write
    link.add(toxic("latency", latency=100))
    assert source.receiver != destination.write
    link.remove(toxic("latency"))
    assert source.receiver == destination.write


def test_spared_link_is_the_other_sockets_write_as_well(
    link: Link, source: FakeSide, destination: FakeSide
) -> None:
    link.add(toxic("latency", toxicity=0))
    assert source.receiver == destination.write


def test_toxics_see_chunks_of_the_size_that_toxiproxy_reads(
    link: Link, source: FakeSide, destination: FakeSide
) -> None:
    link.add(toxic("noop"))
    source.receiver(b"x" * (2 * CHUNK_BYTES_MAX + 1))
    sizes = [len(chunk) for _, chunk in destination.arrived]
    assert sizes == [CHUNK_BYTES_MAX, CHUNK_BYTES_MAX, 1]


def test_stages_act_in_the_order_they_were_added(
    link: Link, source: FakeSide, destination: FakeSide
) -> None:
    """A latency after a timeout has nothing left to delay; before it, the end comes later."""
    link.add(toxic("timeout", timeout=1000))
    link.add(toxic("latency", latency=100))
    source.receiver(b"lost")
    source.clock.advance(5)
    assert (destination.arrived, destination.ended_s) == ([], 0.0)


def test_end_is_passed_on_once(link: Link, destination: FakeSide) -> None:
    link.end()
    link.end()
    assert destination.ended_s is not None


def test_change_draws_again(link: Link, source: FakeSide, destination: FakeSide) -> None:
    link.add(toxic("timeout", toxicity=0))
    link.update(toxic("timeout", toxicity=1))
    source.receiver(b"lost")
    link.update(toxic("timeout", toxicity=0))
    source.receiver(b"passed")
    assert [chunk for _, chunk in destination.arrived] == [b"passed"]


def test_spared_by_a_change_lets_go_of_what_was_held(
    link: Link, source: FakeSide, destination: FakeSide
) -> None:
    link.add(toxic("latency", latency=1000))
    source.receiver(b"1")
    source.receiver(b"2")
    link.update(toxic("latency", latency=1000, toxicity=0))
    source.receiver(b"3")
    assert [chunk for _, chunk in destination.arrived] == [b"1", b"2", b"3"]


def test_source_rests_until_the_last_hold_is_over(link: Link, source: FakeSide) -> None:
    link.hold()
    link.hold()
    link.resume()
    assert source.paused
    link.resume()
    assert not source.paused


def test_abandoned_link_drops_data_and_rings_no_more(
    link: Link, source: FakeSide, destination: FakeSide
) -> None:
    link.add(toxic("latency", latency=100))
    source.receiver(b"late")
    destination.lost = True
    link.abandon()
    source.receiver(b"lost")
    source.clock.advance(1)
    assert destination.arrived == []


def test_reset_peer_marks_sockets_only_when_a_connection_starts(
    source: Any, destination: Any
) -> None:
    link = Link(source, destination, clock=source.clock, seed="0")
    link.start([toxic("noop")])
    link.add(toxic("reset_peer"))
    assert (source.resets, destination.resets) == (False, False)
    Link(source, destination, clock=source.clock, seed="0").start([toxic("reset_peer")])
    assert (source.resets, destination.resets) == (True, True)
