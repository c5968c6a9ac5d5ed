"""Laws of latency: whatever is drawn, order is kept and no chunk is early or lost."""

from hypothesis import given
from hypothesis import strategies as st

from tests.proxy_flow import FakeLink, at_work

gaps_s = st.lists(st.floats(0, 0.3), min_size=1, max_size=40)
delays_ms = st.integers(0, 500)


@given(gaps_s=gaps_s, latency=delays_ms, jitter=delays_ms, seed=st.integers(0, 2**32))
def test_chunks_arrive_in_order_and_not_before_their_delay(
    gaps_s: list[float], latency: int, jitter: int, seed: int
) -> None:
    link = FakeLink(seed=seed)
    slow = at_work(link, "latency", latency=latency, jitter=jitter)
    sent_s = []
    for number, gap_s in enumerate(gaps_s):
        link.clock.advance(gap_s)
        sent_s.append(link.clock.now_s)
        slow.feed(b"%d" % number)
    slow.end()
    link.clock.advance(10)
    assert [chunk for _, chunk in link.arrived] == [b"%d" % n for n in range(len(gaps_s))]
    least_s = max(0, latency - jitter) / 1000
    most_s = (latency + jitter) / 1000
    latest_s = 0.0
    for start_s, (arrived_s, _) in zip(sent_s, link.arrived, strict=True):
        latest_s = max(latest_s, start_s + most_s)
        assert start_s + least_s - 1e-5 <= arrived_s <= latest_s + 1e-5
    assert link.ended_s == link.arrived[-1][0]


@given(chunks=st.integers(0, 60), after_s=st.floats(0, 1), latency=delays_ms)
def test_leaving_loses_nothing(chunks: int, after_s: float, latency: int) -> None:
    link = FakeLink()
    slow = at_work(link, "latency", latency=latency)
    for number in range(chunks):
        slow.feed(b"%d" % number)
    link.clock.advance(after_s)
    slow.leave()
    assert [chunk for _, chunk in link.arrived] == [b"%d" % n for n in range(chunks)]
