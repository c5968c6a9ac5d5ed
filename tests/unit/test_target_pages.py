"""Small parts of the pages: amounts, instants, countdowns, and words for whatever may be said."""

from datetime import timedelta

import pytest

from target_app.orders.states import Status
from target_app.web.page_words import ORDERING, PAYING, STANDINGS
from target_app.web.pages import POLICY, SCRIPTS, countdown, day_time, money


@pytest.mark.parametrize(
    ("minor_units", "shown"),
    [(0, "0.00 EUR"), (5, "0.05 EUR"), (9900, "99.00 EUR"), (123456789, "1,234,567.89 EUR")],
)
def test_money_is_shown_in_whole_units(minor_units: int, shown: str) -> None:
    assert money(minor_units) == shown


@pytest.mark.parametrize(
    ("left_s", "shown"),
    [
        (-1, "00:00:00"),
        (0, "00:00:00"),
        (0.01, "00:00:01"),
        (3600, "01:00:00"),
        (86399, "23:59:59"),
        (200_000, "2 d 07:33:20"),
    ],
)
def test_a_countdown_reaches_zero_when_it_is_over_and_not_before(left_s: float, shown: str) -> None:
    assert countdown(timedelta(seconds=left_s)) == shown


def test_an_instant_is_worded() -> None:
    assert day_time("2026-11-23T10:00:00.000000Z") == "23 Nov 2026, 10:00:00 UTC"


def test_there_are_words_for_every_state_of_an_order() -> None:
    assert set(STANDINGS) == set(Status)


@pytest.mark.parametrize("told", [ORDERING, PAYING], ids=["ordering", "paying"])
def test_the_scripts_find_the_words_that_they_always_need(told: dict[str, str]) -> None:
    assert {"asking", "asking_again", "refused", "undecided"} <= set(told)


def test_scripts_and_styles_stay_in_their_elements() -> None:
    assert all("</" not in script for script in SCRIPTS.values())
    assert "unsafe" not in POLICY
