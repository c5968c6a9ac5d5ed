"""Laws of slicing and of limits, whatever their attributes."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from chaos.proxy.toxics.slicer import piece_sizes
from tests.proxy_flow import FakeLink, at_work


@given(
    size=st.integers(0, 5000),
    average=st.integers(1, 200),
    share=st.floats(-1, 1),
    seed=st.integers(0, 2**32),
)
def test_pieces_are_small_enough_and_add_up(
    size: int, average: int, share: float, seed: int
) -> None:
    variation = max(1 - average, int(average * share))
    sizes = list(piece_sizes(size, average=average, variation=variation, random=Random(seed)))
    assert sum(sizes) == size
    assert all(1 <= piece <= average + variation for piece in sizes)


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=400), max_size=12),
    rate=st.integers(1, 50),
    early_s=st.sampled_from([0.0, 0.0009]),
)
def test_bandwidth_is_never_exceeded_and_loses_nothing(
    chunks: list[bytes], rate: int, early_s: float
) -> None:
    link = FakeLink()
    link.clock.early_s = early_s
    slow = at_work(link, "bandwidth", rate=rate)
    for chunk in chunks:
        slow.feed(chunk)
    slow.end()
    link.clock.advance(3600)
    assert b"".join(piece for _, piece in link.arrived) == b"".join(chunks)
    sent_bytes = 0
    for at_s, piece in link.arrived:
        sent_bytes += len(piece)
        assert sent_bytes <= at_s * rate * 1000 + 0.01 * rate
    assert link.ended_s is not None
