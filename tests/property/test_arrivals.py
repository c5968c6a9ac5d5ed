"""Laws of arrivals: the curve is followed, exactly in number, and the same seed is the same day."""

import math
import tracemalloc
from bisect import bisect_right
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from doorbuster.arrivals import Arrival, arrivals, timetable
from doorbuster.curves import Curve, Early, Exponential, Joined, Linear, Reactions, Swell
from doorbuster.plan.phases import Arrivals
from doorbuster.plan.traffic import WARMUP, Traffic

rates = st.integers(0, 100)
lengths = st.integers(1, 2_500)
durations = lengths.map("{}ms".format)
percents = st.integers(0, 100).map("{}%".format)
visitors = st.integers(1, 30)
bursts = st.one_of(
    st.fixed_dictionaries({"visitors": visitors, "spread": durations}),
    st.fixed_dictionaries({"visitors": visitors, "reaction": durations, "early": percents}),
)
rate_texts = rates.map("{}/s".format)
courses = st.one_of(
    st.fixed_dictionaries({"rate": st.tuples(rate_texts, rate_texts).map(" -> ".join)}),
    st.fixed_dictionaries({"steps": st.lists(rate_texts, min_size=2, max_size=5)}),
    st.fixed_dictionaries(
        {
            "rate": st.just("10/s"),
            "spike": st.just({"times": 5, "rise": "0s", "hold": "1ms", "fall": "0s"}),
        }
    ),
    st.just({"rate": "5/s -> 80/s", "growth": "exponential"}),
    st.fixed_dictionaries(
        {
            "series": st.fixed_dictionaries(
                {
                    "counts": st.lists(rates, min_size=5, max_size=8),
                    "scale": st.floats(0.1, 3),
                }
            )
        }
    ),
)
extras = st.fixed_dictionaries(
    {}, optional={"burst": bursts, "peak": st.fixed_dictionaries({"visitors": visitors})}
)
phases = st.builds(
    lambda lasts, course, extra: {"for": lasts, **course, **extra}, durations, courses, extras
)
seeds = st.integers(0, 2**63 - 1)


@st.composite
def traffics(draw: st.DrawFn, spacing: str | None = None) -> Traffic:
    found = draw(st.lists(phases, min_size=1, max_size=4))
    named = [{"phase": f"phase-{n}", **phase} for n, phase in enumerate(found)]
    spacing = spacing or draw(st.sampled_from(["poisson", "even"]))
    warmup = draw(st.integers(0, 3_000))
    for number, phase in enumerate(named):  # who is early needs a second before
        before_ms = int(named[number - 1]["for"][:-2]) if number else warmup
        if before_ms < 1000:
            phase.get("burst", {}).pop("early", None)
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
    assert counts == Counter(traffic.counts)
    warmup = round(traffic.arrivals[0].first_rate * traffic.warmup)
    assert counts[WARMUP] == warmup + traffic.arrivals[0].early_visitors
    for phase in traffic.arrivals:
        crowd = (phase.burst.visitors if phase.burst else 0) + (
            phase.peak.visitors if phase.peak else 0
        )
        assert abs(phase.count - crowd - area(phase)) <= 0.5 + 1e-6


def area(phase: Arrivals) -> float:
    """Return the integral of a phase's course, computed from what the plan says."""
    if phase.series:
        whole = math.floor(phase.lasts)
        part = phase.lasts - whole
        recorded = [*phase.series.counts, 0]
        return (sum(recorded[:whole]) + part * recorded[whole]) * phase.series.scale
    if phase.steps:
        return sum(phase.steps) / len(phase.steps) * phase.lasts
    assert phase.rate
    if phase.spike:
        return phase.rate[0] * (phase.lasts + 4 * 0.001)
    start, end = phase.rate
    if phase.growth == "exponential":
        return phase.lasts * (end - start) / math.log(end / start)
    return (start + end) / 2 * phase.lasts


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
    assume(not any(phase.early_visitors for phase in traffic.arrivals[1:]))
    first = traffic.model_copy(update={"arrivals": traffic.arrivals[:1]})
    names = (WARMUP, first.arrivals[0].phase)
    assert [a for a in arrivals(traffic, seed) if a.phase in names] == arrivals(first, seed)


lasting = st.floats(0.001, 600)
straight = st.builds(Linear, rates, rates, lasting).filter(lambda curve: curve.total > 0)
above = st.integers(1, 200)
curves = st.one_of(
    straight,
    st.builds(Exponential, above, above, lasting),
    st.builds(Swell, above, lasting),
    st.builds(Reactions, above, st.floats(0.01, 2), st.just(0.6), lasting).filter(
        lambda curve: curve.within_s > curve.median_s / 2
    ),
    st.builds(Early, above, st.just(0.5), st.just(1.0)),
    st.lists(straight, min_size=1, max_size=4).map(
        lambda pieces: Joined([(piece, piece.lasts_s) for piece in pieces])
    ),
)


@given(curves, st.floats(0, 1), st.floats(0, 1))
def test_nobody_unarrives(curve: Curve, one: float, other: float) -> None:
    earlier, later = (curve.offset_s(share) for share in sorted([one, other]))
    assert curve.offset_s(0) - 1e-6 <= earlier <= later + 1e-6 <= curve.offset_s(1) + 2e-6


@given(curves, st.floats(0, 1))
def test_offsets_are_where_the_integral_of_the_rate_is(curve: Curve, share: float) -> None:
    assert math.isclose(curve.come_by(curve.offset_s(share)) / curve.total, share, abs_tol=1e-6)


@given(curves)
def test_the_integral_is_that_of_a_rate_which_is_never_above_the_highest(curve: Curve) -> None:
    """Method: what comes in each hundredth of the curve, which the highest rate bounds."""
    begin_s, end_s = curve.offset_s(0), curve.offset_s(1)
    each_s = (end_s - begin_s) / 100
    come = [curve.come_by(begin_s + n * each_s) for n in range(101)]
    assert come[0] == pytest.approx(0, abs=1e-6 * curve.total)
    assert come[-1] == pytest.approx(curve.total)
    for before, after in pairwise(come):
        assert -1e-9 * curve.total <= after - before
        assert after - before <= curve.highest * each_s * (1 + 1e-6) + 1e-9 * curve.total


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
    assert traffic.arrivals[0].rate
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


def due_of(rush: dict[str, object], seed: int = 7, spacing: str = "poisson") -> list[Arrival]:
    calm = {"phase": "baseline", "for": "5s", "rate": "0/s"}
    raw = {"arrivals": [calm, {"phase": "rush", **rush}], "spacing": spacing}
    return arrivals(Traffic.model_validate(raw), seed)


@pytest.mark.parametrize("seed", range(1, 6))
def test_people_react_and_some_are_early(seed: int) -> None:
    crowd = {"visitors": 1000, "reaction": "400ms", "early": "10%"}
    found = due_of({"for": "10s", "rate": "0/s", "burst": crowd}, seed)
    early = [a for a in found if a.due_s < 5]
    late_s = sorted(a.due_s - 5 for a in found if a.due_s >= 5)
    assert (len(early), len(late_s)) == (100, 900)
    assert all(a.phase == "baseline" and a.due_s >= 4 for a in early)
    assert late_s[450] == pytest.approx(0.4, rel=0.15)
    assert sum(at_s > 0.4 * math.exp(0.6) for at_s in late_s) / 900 == pytest.approx(0.16, abs=0.05)


def test_a_spike_is_where_the_plan_has_it() -> None:
    spike = {"times": 11, "after": "2s", "rise": "1s", "hold": "2s", "fall": "4s"}
    found = due_of({"for": "10s", "rate": "10/s", "spike": spike}, spacing="even")
    counts = Counter(int(arrival.due_s) - 5 for arrival in found)
    assert [counts[second] for second in range(10)] == pytest.approx(
        [10, 10, 60, 110, 110, 97.5, 72.5, 47.5, 22.5, 10], abs=1
    )


def test_steps_go_up_one_by_one() -> None:
    found = due_of({"for": "6s", "steps": ["10/s", "30/s", "20/s"]}, spacing="even")
    counts = Counter(int(arrival.due_s) - 5 for arrival in found)
    assert [counts[second] for second in range(6)] == [10, 10, 30, 30, 20, 20]


@pytest.mark.parametrize("spacing", ["poisson", "even"])
def test_a_series_is_replayed_to_the_second(spacing: str) -> None:
    recorded = [3, 0, 7, 1, 50]
    found = due_of({"for": "5s", "series": {"counts": recorded}}, spacing=spacing)
    counts = Counter(math.floor(arrival.due_s) - 5 for arrival in found)
    assert [counts[second] for second in range(5)] == recorded


def test_a_peak_swells_and_ebbs() -> None:
    found = due_of({"for": "10s", "rate": "0/s", "peak": {"visitors": 1000}}, spacing="even")
    counts = [Counter(int(a.due_s) - 5 for a in found)[second] for second in range(10)]
    assert counts == pytest.approx(counts[::-1], abs=1)
    assert counts[:5] == sorted(counts[:5])
    assert counts[4] > 20 * counts[0] > 0


def test_a_worker_keeps_little_of_the_others_arrivals() -> None:
    """Plans can have millions, and every worker draws all of them to know its own."""
    phases = [{"phase": "rush", "for": "100s", "rate": "400/s"}]
    traffic = Traffic.model_validate({"arrivals": phases, "warmup": "0s"})
    tracemalloc.start()
    try:
        mine = timetable(traffic, 7, index=1, count=4)
        kept_bytes, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(mine) == 10_000
    assert kept_bytes < 20 * len(mine)
    assert peak_bytes < 20 * 40_000
