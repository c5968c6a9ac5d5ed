"""Each toxic alone, on a link whose time is moved by hand."""

import pytest

from chaos.proxy.toxics.latency import CHUNKS_HELD_MAX
from tests.proxy_flow import FakeLink, at_work


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


def test_noop_passes_data_and_the_end_on(link: FakeLink) -> None:
    noop = at_work(link, "noop")
    noop.feed(b"a")
    noop.end()
    assert (link.arrived, link.ended_s) == ([(0.0, b"a")], 0.0)


def test_latency_keeps_the_spacing_of_chunks(link: FakeLink) -> None:
    slow = at_work(link, "latency", latency=200)
    slow.feed(b"a")
    link.clock.advance(0.1)
    slow.feed(b"b")
    link.clock.advance(1)
    assert link.arrived == [(0.2, b"a"), (0.3, b"b")]


@pytest.mark.parametrize("latency", [0, -50])
def test_latency_of_nothing_or_less_does_not_delay(link: FakeLink, latency: int) -> None:
    slow = at_work(link, "latency", latency=latency)
    slow.feed(b"a")
    link.clock.advance(0.001)
    assert link.arrived == [(0.0, b"a")]


def test_latency_passes_the_end_at_once_when_it_holds_nothing(link: FakeLink) -> None:
    at_work(link, "latency", latency=200).end()
    assert link.ended_s == 0.0


def test_latency_passes_the_end_after_what_it_holds(link: FakeLink) -> None:
    slow = at_work(link, "latency", latency=200)
    slow.feed(b"a")
    slow.end()
    link.clock.advance(1)
    assert (link.arrived, link.ended_s) == ([(0.2, b"a")], 0.2)


def test_latency_stops_the_source_while_its_buffer_is_full(link: FakeLink) -> None:
    slow = at_work(link, "latency", latency=200)
    for number in range(CHUNKS_HELD_MAX + 5):
        assert link.held == (number >= CHUNKS_HELD_MAX)
        slow.feed(b"a")
    link.clock.advance(1)
    assert (link.held, len(link.arrived)) == (0, CHUNKS_HELD_MAX + 5)


def test_changed_latency_lets_the_first_chunk_go_and_delays_the_others_anew(
    link: FakeLink,
) -> None:
    slow = at_work(link, "latency", latency=200)
    slow.feed(b"a")
    slow.feed(b"b")
    link.clock.advance(0.1)
    slow.interrupt()
    slow.attributes = {"latency": 500, "jitter": 0}
    slow.begin()
    link.clock.advance(1)
    assert link.arrived == [(0.1, b"a"), (0.5, b"b")]


def test_leaving_latency_passes_on_all_it_holds_and_its_end(link: FakeLink) -> None:
    slow = at_work(link, "latency", latency=200)
    slow.feed(b"a")
    slow.feed(b"b")
    slow.end()
    slow.leave()
    assert (link.arrived, link.ended_s) == ([(0.0, b"a"), (0.0, b"b")], 0.0)
    link.clock.advance(1)
    assert len(link.arrived) == 2


def test_timeout_drops_data_and_never_closes_by_itself(link: FakeLink) -> None:
    hole = at_work(link, "timeout", timeout=0)
    hole.feed(b"a")
    link.clock.advance(3600)
    assert (link.arrived, link.ended_s) == ([], None)


@pytest.mark.parametrize("timeout", [0, 1000])
def test_timeout_passes_the_end_on_at_once(link: FakeLink, timeout: int) -> None:
    hole = at_work(link, "timeout", timeout=timeout)
    hole.feed(b"a")
    hole.end()
    link.clock.advance(10)
    assert (link.arrived, link.ended_s) == ([], 0.0)


def test_timeout_counts_from_the_last_chunk(link: FakeLink) -> None:
    hole = at_work(link, "timeout", timeout=1000)
    for _ in range(5):
        link.clock.advance(0.9)
        hole.feed(b"a")
    link.clock.advance(10)
    assert (link.arrived, link.ended_s) == ([], 5.5)


def test_timeout_that_closed_stays_closed(link: FakeLink) -> None:
    hole = at_work(link, "timeout", timeout=1000)
    link.clock.advance(2)
    hole.feed(b"a")
    link.clock.advance(10)
    assert link.ended_s == 1.0


@pytest.mark.parametrize("trigger", ["chunk", "end"])
def test_reset_peer_waits_from_the_first_sign_of_life(link: FakeLink, trigger: str) -> None:
    reset = at_work(link, "reset_peer", timeout=500)
    link.clock.advance(10)
    assert not reset.doomed
    if trigger == "chunk":
        reset.feed(b"a")
        link.clock.advance(0.4)
        reset.feed(b"b")
    else:
        reset.end()
    assert reset.doomed
    link.clock.advance(10)
    assert (link.arrived, link.ended_s) == ([], 10.5)


def test_timer_that_rings_early_is_not_believed(link: FakeLink) -> None:
    """uvloop's timers count whole milliseconds of the turn of the loop."""
    link.clock.early_s = 0.001
    at_work(link, "latency", latency=200).feed(b"a")
    link.clock.advance(1)
    assert link.arrived == [(0.2, b"a")]
