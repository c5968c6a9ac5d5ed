"""Laws of the capacity search, whatever the shop takes and wherever the search starts."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from doorbuster.search import MAX_STEPS, Ruling, Step, capacity, next_rate


def tenths(lowest: float, highest: float) -> st.SearchStrategy[float]:
    return st.integers(round(lowest * 10), round(highest * 10)).map(lambda tenth: tenth / 10)


@st.composite
def searches(draw: st.DrawFn) -> dict[str, float]:
    """Return where a search starts and ends; as on the command line it starts within its end."""
    highest = draw(tenths(1, 2000))
    return {"start": draw(tenths(0.1, highest)), "highest": highest}


def searched(begun: dict[str, float], *, shop: float, generator: float = 1e9) -> list[Step]:
    """Return the steps of a whole search; twice the steps allowed would be no end."""
    steps: list[Step] = []
    while len(steps) <= 2 * MAX_STEPS:
        rate = next_rate(steps, **begun)
        if rate is None:
            return steps
        steps.append(Step(rate, ruling(rate, shop=shop, generator=generator)))
    raise AssertionError(f"no end: {steps}")


def ruling(rate: float, *, shop: float, generator: float) -> Ruling:
    if rate > generator:
        return "unknown"
    return "pass" if rate <= shop else "fail"


thresholds = st.floats(0, 3000)
"""What the shop takes, from nothing to more than any rate that is asked."""


@given(searches(), st.lists(st.sampled_from(["pass", "unknown", "fail"]), min_size=30))
def test_a_search_ends_whatever_its_steps_come_to(
    begun: dict[str, float], rulings: list[Any]
) -> None:
    steps: list[Step] = []
    for came_to in rulings:
        rate = next_rate(steps, **begun)
        if rate is None:
            break
        assert 0 < rate <= begun["highest"]
        steps.append(Step(rate, came_to))
    assert len(steps) <= MAX_STEPS


@given(searches(), thresholds, thresholds)
def test_no_rate_is_asked_for_that_is_not_above_zero_and_within_the_highest(
    begun: dict[str, float], shop: float, generator: float
) -> None:
    steps = searched(begun, shop=shop, generator=generator)
    assert 1 <= len(steps) <= MAX_STEPS
    assert all(0 < step.rate_per_s <= begun["highest"] for step in steps)


@given(searches(), thresholds)
def test_the_range_holds_the_threshold(begun: dict[str, float], shop: float) -> None:
    steps = searched(begun, shop=shop)
    found = capacity(steps)
    assert found.passed is not None or found.failed is not None
    assert found.passed is None or found.passed <= shop
    assert found.failed is None or shop < found.failed


@given(searches(), thresholds, thresholds)
def test_a_full_generator_never_widens_the_range_to_what_is_not_true(
    begun: dict[str, float], shop: float, generator: float
) -> None:
    found = capacity(searched(begun, shop=shop, generator=generator))
    assert found.passed is None or found.passed <= min(shop, generator)
    assert found.failed is None or shop < found.failed <= generator
    assert found.undecided is None or found.undecided > generator


@given(searches(), thresholds)
def test_without_a_failure_the_search_went_as_high_as_it_could(
    begun: dict[str, float], shop: float
) -> None:
    steps = searched(begun, shop=shop)
    if capacity(steps).failed is None:
        assert steps[-1].rate_per_s == begun["highest"] or len(steps) == MAX_STEPS


@given(st.integers(1, 100), thresholds)
def test_no_rate_is_tried_twice(start: int, shop: float) -> None:
    tried = [s.rate_per_s for s in searched({"start": start, "highest": 1000}, shop=shop)]
    assert len(set(tried)) == len(tried), tried


@example({"start": 0.1, "highest": 1.0}, 0.0)
@example({"start": 10.0, "highest": 16.1}, 16.0)
@given(searches(), thresholds)
def test_no_rate_is_tried_twice_however_narrow_the_gap(
    begun: dict[str, float], shop: float
) -> None:
    tried = [step.rate_per_s for step in searched(begun, shop=shop)]
    assert len(set(tried)) == len(tried), tried
