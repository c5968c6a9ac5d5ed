"""Laws of arrivals: the curve is followed, exactly in number, and the same seed is the same day."""

import math
from bisect import bisect_right
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from doorbuster.arrivals import arrivals, expected_count, offset_s
from doorbuster.plan.traffic import WARMUP, Traffic

rates = st.integers(0, 200)
lengths = st.integers(1, 5_000)
phases = st.fixed_dictionaries(
    {
        "for": lengths.map("{}ms".format),
        "rate": st.tuples(rates, rates).map("{0[0]}/s -> {0[1]}/s".format),
    },
    optional={
        "burst": st.fixed_dictionaries(
            {"visitors": st.integers(1, 50), "spread": lengths.map("{}ms".format)}
        )
    },
)
seeds = st.integers(0, 2**63 - 1)


@st.composite
def traffics(draw: st.DrawFn, spacing: str | None = None) -> Traffic:
    found = draw(st.lists(phases, min_size=1, max_size=4))
    named = [{"phase": f"phase-{n}", **phase} for n, phase in enumerate(found)]
    spacing = spacing or draw(st.sampled_from(["poisson", "even"]))
    warmup = draw(st.integers(0, 3_000))
    return Traffic.model_validate({"arrivals": named, "warmup": f"{warmup}ms", "spacing": spacing})


def spans_s(traffic: Traffic) -> dict[str, tuple[float, float]]:
    spans, at_s = {WARMUP: (-traffic.warmup, 0.0)}, 0.0
    for phase in traffic.arrivals:
        spans[phase.phase] = (at_s, at_s + phase.lasts)
        at_s += phase.lasts
    return spans


@given(traffics(), seeds)
def test_they_come_in_order_and_are_numbered_from_zero(traffic: Traffic, seed: int) -> None:
    found = arrivals(traffic, seed)
    assert [arrival.index for arrival in found] == list(range(len(found)))
    assert all(before.due_s <= after.due_s for before, after in pairwise(found))


@given(traffics(), seeds)
def test_each_phase_gets_exactly_its_count_within_its_span(traffic: Traffic, seed: int) -> None:
    found, spans = arrivals(traffic, seed), spans_s(traffic)
    for arrival in found:
        begin_s, end_s = spans[arrival.phase]
        assert begin_s <= arrival.due_s <= end_s + 1e-9
    counts = Counter(arrival.phase for arrival in found)
    for phase in traffic.arrivals:
        assert counts[phase.phase] == expected_count(phase)
        burst = phase.burst.visitors if phase.burst else 0
        area = (phase.rate[0] + phase.rate[1]) / 2 * phase.lasts
        assert abs(counts[phase.phase] - burst - area) <= 0.5
    assert counts[WARMUP] == round(traffic.arrivals[0].rate[0] * traffic.warmup)


@given(traffics(), seeds)
def test_the_same_seed_is_the_same_day(traffic: Traffic, seed: int) -> None:
    assert arrivals(traffic, seed) == arrivals(traffic, seed)


@given(traffics(spacing="poisson"), seeds, seeds)
def test_another_seed_is_another_day(traffic: Traffic, seed: int, other: int) -> None:
    found = arrivals(traffic, seed)
    assume(seed != other and found)
    assert found != arrivals(traffic, other)


@given(traffics(), seeds)
def test_a_phase_is_the_same_whatever_comes_after_it(traffic: Traffic, seed: int) -> None:
    first = traffic.model_copy(update={"arrivals": traffic.arrivals[:1]})
    names = (WARMUP, first.arrivals[0].phase)
    assert [a for a in arrivals(traffic, seed) if a.phase in names] == arrivals(first, seed)


@given(rates, rates, st.floats(0.001, 600), st.floats(0, 1), st.floats(0, 1))
def test_nobody_unarrives(start: int, end: int, lasts_s: float, one: float, other: float) -> None:
    earlier, later = sorted([one, other])
    at_s = [offset_s(u, start=start, end=end, lasts_s=lasts_s) for u in (earlier, later)]
    assert 0 <= at_s[0] <= at_s[1] + 1e-9 * lasts_s <= lasts_s * (1 + 1e-8)


@given(rates, rates, st.floats(0.001, 600), st.floats(0, 1))
def test_offsets_are_where_the_integral_of_the_rate_is(
    start: int, end: int, lasts_s: float, u: float
) -> None:
    assume(start + end > 0)
    at_s = offset_s(u, start=start, end=end, lasts_s=lasts_s)
    come = start * at_s + (end - start) * at_s**2 / (2 * lasts_s)
    assert math.isclose(come / ((start + end) / 2 * lasts_s), u, abs_tol=1e-6)


def test_even_spacing_is_even() -> None:
    raw = {"arrivals": [{"phase": "rush", "for": "10s", "rate": "20/s"}], "spacing": "even"}
    due = [a.due_s for a in arrivals(Traffic.model_validate(raw), 7) if a.phase == "rush"]
    assert due[0] == pytest.approx(0.025)
    assert [after - before for before, after in pairwise(due)] == pytest.approx([0.05] * 199)


@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.parametrize("rate", ["50/s", "10/s -> 100/s", "100/s -> 0/s"])
def test_random_arrivals_follow_the_curve(rate: str, seed: int) -> None:
    """Goal: the law of the curve, not just its total. Method: Dvoretzky-Kiefer-Wolfowitz.

    The largest gap between the drawn and the intended distribution of n arrivals is above the
    bound for one seed in a million; the seeds are fixed, so the test cannot fail by chance.
    """
    phase = {"phase": "rush", "for": "60s", "rate": rate}
    traffic = Traffic.model_validate({"arrivals": [phase], "warmup": "0s"})
    start, end = traffic.arrivals[0].rate
    due = [arrival.due_s for arrival in arrivals(traffic, seed)]
    bound = math.sqrt(math.log(2 / 1e-6) / (2 * len(due)))
    for at_s in range(1, 60):
        intended = (start * at_s + (end - start) * at_s**2 / 120) / ((start + end) / 2 * 60)
        assert abs(bisect_right(due, at_s) / len(due) - intended) <= bound


@pytest.mark.parametrize("seed", range(1, 6))
def test_random_arrivals_are_as_uneven_as_random_ones(seed: int) -> None:
    """Counts per second of a Poisson stream vary by about their mean; evenly spaced ones do not."""
    phase = {"phase": "rush", "for": "200s", "rate": "50/s"}
    for spacing, low, high in (("poisson", 0.6, 1.5), ("even", 0.0, 0.05)):
        raw = {"arrivals": [phase], "warmup": "0s", "spacing": spacing}
        counts = Counter(int(a.due_s) for a in arrivals(Traffic.model_validate(raw), seed))
        variance = sum((counts[second] - 50) ** 2 for second in range(200)) / 200
        assert low <= variance / 50 <= high


def test_a_burst_comes_at_the_start_of_its_phase() -> None:
    crowd = {"visitors": 100, "spread": "2s"}
    calm = {"phase": "baseline", "for": "5s", "rate": "1/s"}
    rush = {"phase": "rush", "for": "10s", "rate": "0/s", "burst": crowd}
    found = arrivals(Traffic.model_validate({"arrivals": [calm, rush]}), 7)
    due = [arrival.due_s for arrival in found if arrival.phase == "rush"]
    assert len(due) == 100
    assert min(due) >= 5
    assert max(due) <= 7
