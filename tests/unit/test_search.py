"""Which rates a capacity search tries, and what the tried ones amount to, on hand-made shops."""

from collections.abc import Callable

import pytest

from doorbuster.search import MAX_STEPS, Capacity, Ruling, Step, capacity, next_rate

Shop = Callable[[float], Ruling]


def search(shop: Shop, *, start: float = 10.0, highest: float = 1000.0) -> list[Step]:
    """Return the steps of a whole search of `shop`, whether it ends or not."""
    steps: list[Step] = []
    while len(steps) <= 2 * MAX_STEPS:
        rate = next_rate(steps, start=start, highest=highest)
        if rate is None:
            break
        steps.append(Step(rate, shop(rate)))
    return steps


def rates(steps: list[Step]) -> list[float]:
    return [step.rate_per_s for step in steps]


def breaks_above(limit: float) -> Shop:
    return lambda rate: "pass" if rate <= limit else "fail"


def generator_ends_above(limit: float, shop: Shop) -> Shop:
    return lambda rate: shop(rate) if rate <= limit else "unknown"


def test_rates_rise_by_a_factor_until_one_fails_and_then_the_gap_is_halved_twice() -> None:
    steps = search(breaks_above(50))
    assert rates(steps) == [10.0, 16.0, 25.6, 41.0, 65.6, 53.3, 47.1]
    assert capacity(steps) == Capacity(passed=47.1, failed=53.3)


@pytest.mark.parametrize("limit", [3, 9.9, 10, 16, 40.9, 41, 100, 333.3, 400])
def test_the_range_brackets_the_true_limit(limit: float) -> None:
    found = capacity(search(breaks_above(limit)))
    assert found.failed is not None
    assert (found.passed or 0.0) <= limit < found.failed
    assert found.undecided is None


def test_the_range_is_a_quarter_of_the_gap_it_began_with() -> None:
    found = capacity(search(breaks_above(50)))
    assert found.passed is not None
    assert found.failed is not None
    assert found.failed - found.passed == pytest.approx((65.6 - 41.0) / 4, abs=0.1)


def test_a_shop_that_never_breaks_takes_at_least_the_highest_rate() -> None:
    steps = search(breaks_above(10_000), highest=60)
    assert rates(steps) == [10.0, 16.0, 25.6, 41.0, 60]
    assert capacity(steps) == Capacity(passed=60, failed=None)


def test_a_search_that_starts_at_the_highest_rate_is_one_step() -> None:
    assert rates(search(breaks_above(10_000), start=12, highest=12)) == [12]


def test_a_shop_that_never_keeps_its_budgets_is_below_the_lowest_rate() -> None:
    steps = search(breaks_above(0))
    assert rates(steps) == [10, 5, 2.5]
    assert capacity(steps) == Capacity(passed=None, failed=2.5)


def test_where_the_generator_is_the_limit_the_search_ends() -> None:
    steps = search(generator_ends_above(30, breaks_above(10_000)))
    assert rates(steps) == [10.0, 16.0, 25.6, 41.0]
    assert capacity(steps) == Capacity(passed=25.6, failed=None, undecided=41.0)


def test_a_generator_that_cannot_even_start_says_nothing_of_the_shop() -> None:
    steps = search(generator_ends_above(0, breaks_above(50)))
    assert rates(steps) == [10]
    assert capacity(steps) == Capacity(passed=None, failed=None, undecided=10)


def test_an_unknown_step_while_halving_ends_the_search_with_the_range_so_far() -> None:
    steps = search(lambda rate: "unknown" if rate == 53.3 else breaks_above(50)(rate))
    assert rates(steps)[-2:] == [65.6, 53.3]
    assert capacity(steps) == Capacity(passed=41.0, failed=65.6, undecided=53.3)


def test_a_pass_above_a_fail_is_luck_and_not_counted() -> None:
    steps = [Step(10, "pass"), Step(40, "pass"), Step(20, "fail")]
    assert capacity(steps) == Capacity(passed=10, failed=20)
    assert next_rate(steps, start=10, highest=1000) == 15


def test_a_pass_above_a_fail_is_no_pass_at_all() -> None:
    assert capacity([Step(40, "pass"), Step(20, "fail")]) == Capacity(passed=None, failed=20)


def test_a_rate_that_failed_and_passed_has_failed() -> None:
    assert capacity([Step(20, "pass"), Step(20, "fail")]) == Capacity(passed=None, failed=20)


def test_the_lowest_rate_at_which_the_generator_was_full_is_told() -> None:
    steps = [Step(40, "unknown"), Step(30, "unknown"), Step(10, "pass")]
    assert capacity(steps) == Capacity(passed=10, failed=None, undecided=30)


def test_no_step_shows_nothing() -> None:
    assert capacity([]) == Capacity(passed=None, failed=None)


def test_a_search_ends_within_its_steps_even_far_from_the_highest_rate() -> None:
    steps = search(breaks_above(1e9), start=1, highest=1e9)
    assert len(steps) == MAX_STEPS
    assert capacity(steps) == Capacity(passed=rates(steps)[-1], failed=None)
