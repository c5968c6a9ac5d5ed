"""Quantities survive being written and read again, exactly: a run's plan.json is its plan."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.anchors import anchor_s, split_anchor
from doorbuster.quantities import (
    duration_s,
    duration_text,
    money_minor,
    money_text,
    rate_per_s,
    rate_text,
    share,
    share_text,
)


def decimals(most: int, places: int = 6) -> st.SearchStrategy[str]:
    """Return numbers as people write them, such as 3, 0.05 or 12.500."""
    numbers = st.decimals(0, most, allow_nan=False, allow_infinity=False, places=places)
    return st.one_of(st.integers(0, most).map(str), numbers.map(lambda number: f"{number:f}"))


@given(decimals(10_000_000), st.sampled_from(["ms", "s", "m", "h"]))
def test_durations(number: str, unit: str) -> None:
    seconds = duration_s(number + unit)
    assert duration_s(duration_text(seconds)) == seconds


@given(decimals(10_000_000), st.sampled_from(["s", "m"]))
def test_rates(number: str, unit: str) -> None:
    per_s = rate_per_s(f"{number}/{unit}")
    assert rate_per_s(rate_text(per_s)) == per_s


@given(decimals(100, places=9))
def test_shares(number: str) -> None:
    fraction = share(f"{number}%")
    assert 0 <= fraction <= 1
    assert share(share_text(fraction)) == fraction


@given(st.integers(0, 10**14 - 1))
def test_money(minor: int) -> None:
    text = money_text(minor)
    assert money_minor(text) == minor
    assert Decimal(text) * 100 == minor


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("10s", 10, "10s"),
        ("500ms", 0.5, "500ms"),
        ("0.5s", 0.5, "500ms"),
        ("2m", 120, "120s"),
        ("1.5h", 5400, "5400s"),
        ("0s", 0, "0s"),
        ("100h", 360_000, "360000s"),
    ],
)
def test_durations_as_people_write_them(text: str, seconds: float, shown: str) -> None:
    assert duration_s(text) == seconds
    assert duration_text(seconds) == shown


@pytest.mark.parametrize(
    "text",
    ["", "10", "10 s", "-1s", "+1s", "1e3s", "s", ".5s", "5.s", "1d", "1S", "1s ", 10, None],
    ids=repr,
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        duration_s(text)


@pytest.mark.parametrize("text", ["20", "20/h", "20 /s", "-1/s", "/s", 20, None], ids=repr)
def test_what_is_no_rate(text: object) -> None:
    with pytest.raises(ValueError, match="expected a rate"):
        rate_per_s(text)


@pytest.mark.parametrize("text", ["3", "100.1%", "-1%", "%", 0.03, None], ids=repr)
def test_what_is_no_share(text: object) -> None:
    with pytest.raises(ValueError, match="expected a share"):
        share(text)


@pytest.mark.parametrize(
    "text", ["99", "99.0", "99.000", "-1.00", ".99", "1,000.00", 99.0, None], ids=repr
)
def test_what_is_no_money(text: object) -> None:
    with pytest.raises(ValueError, match="expected money"):
        money_minor(text)


@given(
    st.from_regex(r"[a-z][a-z_]{0,9}", fullmatch=True),
    st.sampled_from(["", "+", "-"]),
    decimals(10_000),
)
def test_anchors_are_a_phase_and_an_offset(phase: str, sign: str, number: str) -> None:
    text = f"{phase}{sign}{number}s" if sign else phase
    expected_s = float(number) * {"": 0, "+": 1, "-": -1}[sign]
    assert split_anchor(text) == (phase, expected_s)
    assert anchor_s(text, {phase: 5.0}) == 5.0 + expected_s


@pytest.mark.parametrize(
    "text", ["", "Rush", "rush + 4s", "rush+4", "rush+4h", "rush+-4s", "4s"], ids=repr
)
def test_what_is_no_anchor(text: str) -> None:
    with pytest.raises(ValueError, match="expected a phase"):
        split_anchor(text)
