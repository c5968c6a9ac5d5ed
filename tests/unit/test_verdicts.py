from itertools import combinations, permutations
from typing import Literal

import pytest

from doorbuster.errors import (
    DoorbusterError,
    FaultStuck,
    LeftBehind,
    MissingPrerequisite,
    PlanError,
    TargetNotReady,
)
from doorbuster.verdicts import EXIT_CODES, PRECEDENCE, Ruling, Verdict, overall, worst_exit_code

Word = Literal["pass", "unknown", "fail"]


def verdict(ruling: Word) -> Verdict:
    return Verdict("no_oversell", "invariant", ruling, "as the test says")


@pytest.mark.parametrize(
    ("rulings", "worst"),
    [
        ((), Ruling.UNKNOWN),
        (("pass",), Ruling.PASS),
        (("pass", "unknown"), Ruling.UNKNOWN),
        (("unknown", "fail", "pass"), Ruling.FAIL),
    ],
)
def test_the_worst_ruling_wins_and_silence_is_no_pass(
    rulings: tuple[Word, ...], worst: Ruling
) -> None:
    for order in permutations(rulings):
        assert overall(map(verdict, order)) is worst


def test_every_exit_code_has_its_place() -> None:
    assert sorted(PRECEDENCE) == sorted(EXIT_CODES)


def test_the_exit_code_that_takes_precedence_wins_in_any_order() -> None:
    for first, second in combinations(PRECEDENCE, 2):
        assert worst_exit_code([first, second]) == worst_exit_code([second, first]) == first


def test_nothing_tested_is_unknown() -> None:
    assert worst_exit_code([]) == 3


def test_a_pass_needs_nothing_else() -> None:
    assert worst_exit_code([0, 0]) == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DoorbusterError, 4),
        (PlanError, 2),
        (TargetNotReady, 4),
        (MissingPrerequisite, 4),
        (FaultStuck, 6),
        (LeftBehind, 6),
    ],
)
def test_each_error_ends_with_its_code(error: type[DoorbusterError], code: int) -> None:
    assert error.exit_code == code
