"""The toxics that shape data, each alone, on a link whose time is moved by hand."""

import pytest

from chaos.proxy.body import Body
from chaos.proxy.errors import ApiError
from chaos.proxy.toxic import Toxic
from tests.proxy_flow import FakeLink, at_work


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


def test_bandwidth_takes_as_long_as_the_bytes_take_at_its_rate(link: FakeLink) -> None:
    slow = at_work(link, "bandwidth", rate=10)
    slow.feed(bytes(500))
    slow.feed(bytes(500))
    link.clock.advance(1)
    assert link.arrived == [(0.05, bytes(500)), (0.1, bytes(500))]


def test_bandwidth_sends_slices_of_100_ms(link: FakeLink) -> None:
    at_work(link, "bandwidth", rate=1).feed(bytes(250))
    link.clock.advance(1)
    assert [(at_s, len(piece)) for at_s, piece in link.arrived] == [
        (0.1, 100),
        (0.2, 100),
        (0.25, 50),
    ]


def test_bandwidth_saves_nothing_up_while_idle(link: FakeLink) -> None:
    slow = at_work(link, "bandwidth", rate=10)
    link.clock.advance(60)
    slow.feed(bytes(500))
    link.clock.advance(1)
    assert link.arrived == [(60.05, bytes(500))]


def test_bandwidth_stops_the_source_while_it_has_something_to_send(link: FakeLink) -> None:
    slow = at_work(link, "bandwidth", rate=1)
    slow.feed(bytes(50))
    assert link.held == 1
    slow.feed(bytes(50))
    link.clock.advance(1)
    assert (link.held, len(link.arrived)) == (0, 2)


def test_bandwidth_of_zero_holds_all_until_it_leaves(link: FakeLink) -> None:
    stalled = at_work(link, "bandwidth", rate=0)
    stalled.feed(b"a")
    stalled.feed(b"b")
    stalled.end()
    link.clock.advance(3600)
    assert (link.arrived, link.held) == ([], 1)
    stalled.leave()
    assert [piece for _, piece in link.arrived] == [b"a", b"b"]
    assert (link.ended_s, link.held) == (3600.0, 0)


def test_changed_bandwidth_lets_the_first_chunk_go(link: FakeLink) -> None:
    slow = at_work(link, "bandwidth", rate=0)
    slow.feed(bytes(100))
    slow.feed(bytes(100))
    slow.interrupt()
    slow.attributes = {"rate": 1}
    slow.begin()
    link.clock.advance(1)
    assert link.arrived == [(0.0, bytes(100)), (0.1, bytes(100))]


def test_end_comes_after_what_bandwidth_holds(link: FakeLink) -> None:
    slow = at_work(link, "bandwidth", rate=1)
    slow.feed(bytes(50))
    slow.end()
    link.clock.advance(1)
    assert (len(link.arrived), link.ended_s) == (1, 0.05)


@pytest.mark.parametrize(("delay", "held_s"), [(700, 0.7), (0, 0.0), (-5, 0.0)])
def test_slow_close_passes_data_and_holds_the_end(
    link: FakeLink, delay: int, held_s: float
) -> None:
    slow = at_work(link, "slow_close", delay=delay)
    slow.feed(b"a")
    slow.end()
    link.clock.advance(1)
    assert (link.arrived, link.ended_s) == ([(0.0, b"a")], held_s)


def test_changed_slow_close_waits_anew(link: FakeLink) -> None:
    slow = at_work(link, "slow_close", delay=60_000)
    slow.end()
    link.clock.advance(10)
    slow.interrupt()
    slow.attributes = {"delay": 500}
    slow.begin()
    link.clock.advance(1)
    assert link.ended_s == 10.5


def test_leaving_slow_close_lets_the_end_go(link: FakeLink) -> None:
    slow = at_work(link, "slow_close", delay=60_000)
    slow.end()
    slow.leave()
    assert link.ended_s == 0.0


def test_limit_data_passes_exactly_its_bytes_and_closes(link: FakeLink) -> None:
    limited = at_work(link, "limit_data", bytes=5)
    limited.feed(b"abc")
    assert link.ended_s is None
    limited.feed(b"defgh")
    limited.feed(b"lost")
    assert (link.arrived, link.ended_s) == ([(0.0, b"abc"), (0.0, b"de")], 0.0)


def test_limit_data_closes_as_soon_as_the_limit_is_met(link: FakeLink) -> None:
    at_work(link, "limit_data", bytes=3).feed(b"abc")
    assert (link.arrived, link.ended_s) == ([(0.0, b"abc")], 0.0)


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_data_of_nothing_closes_on_the_first_chunk(link: FakeLink, limit: int) -> None:
    limited = at_work(link, "limit_data", bytes=limit)
    assert link.ended_s is None
    limited.feed(b"abc")
    assert (link.arrived, link.ended_s) == ([], 0.0)


def test_limit_data_counts_on_when_its_limit_changes(link: FakeLink) -> None:
    limited = at_work(link, "limit_data", bytes=100)
    limited.feed(b"abc")
    limited.interrupt()
    limited.attributes = {"bytes": 5}
    limited.begin()
    limited.feed(b"defgh")
    assert (link.arrived[-1], link.ended_s) == ((0.0, b"de"), 0.0)


def test_slicer_cuts_in_halves_and_waits_after_each_piece(link: FakeLink) -> None:
    slicer = at_work(link, "slicer", average_size=2, delay=100_000)
    slicer.feed(b"abcdefg")
    slicer.feed(b"h")
    link.clock.advance(10)
    # 7 is halved to 3 and 4, those to 1, 2, 2, 2.
    assert link.arrived == [
        (0.0, b"a"),
        (0.1, b"bc"),
        (0.2, b"de"),
        (0.3, b"fg"),
        (0.4, b"h"),
    ]
    assert link.held == 0


def test_slicer_without_delay_sends_every_piece_in_a_turn_of_its_own(link: FakeLink) -> None:
    slicer = at_work(link, "slicer", average_size=1)
    slicer.feed(b"abc")
    assert link.arrived == [(0.0, b"a")]
    link.clock.advance(0)
    assert b"".join(piece for _, piece in link.arrived) == b"abc"


def test_leaving_slicer_passes_the_rest_in_one_piece(link: FakeLink) -> None:
    slicer = at_work(link, "slicer", average_size=1, delay=1_000_000)
    slicer.feed(b"abcd")
    slicer.end()
    slicer.leave()
    assert [piece for _, piece in link.arrived] == [b"a", b"bcd"]
    assert (link.held, link.ended_s) == (0, 0.0)


@pytest.mark.parametrize(
    ("kind", "attributes", "reason"),
    [
        ("bandwidth", {"rate": -1}, "rate must be 0 or more, not -1"),
        ("slicer", {}, "average_size must be 1 or more, not 0"),
        ("slicer", {"average_size": -3}, "average_size must be 1 or more, not -3"),
        (
            "slicer",
            {"average_size": 3, "size_variation": 4},
            "size_variation must be from -2 to average_size, not 4",
        ),
        (
            "slicer",
            {"average_size": 3, "size_variation": -3},
            "size_variation must be from -2 to average_size, not -3",
        ),
    ],
)
def test_attributes_that_crash_the_original_are_refused(
    kind: str, attributes: dict[str, int], reason: str
) -> None:
    with pytest.raises(ApiError) as refused:
        Toxic.parse(Body({"type": kind, "attributes": attributes}), taken=())
    assert (refused.value.status, refused.value.text) == (400, reason)


def test_refused_change_of_attributes_is_no_change() -> None:
    toxic = Toxic.parse(Body({"type": "bandwidth", "attributes": {"rate": 7}}), taken=())
    with pytest.raises(ApiError, match="rate must be 0 or more"):
        toxic.updated(Body({"attributes": {"rate": -7}, "toxicity": 0.5}))
