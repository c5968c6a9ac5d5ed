"""Rulings, verdicts and exit codes: three-valued truth, and the worst wins."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, Final, Literal

import msgspec


class Ruling(IntEnum):
    """What a question to the evidence came to, ordered by severity."""

    PASS = 0
    UNKNOWN = 1
    FAIL = 2


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to one question, with a sentence of evidence.

    Args:
        name: The check's name, or the budget's text as it stands in the plan.
        kind: `invariant` must always hold; `budget` is a limit that may be spent; `harness` is
            about the rehearsal itself.
        ruling: `pass`, `unknown` or `fail`, by name.
        evidence: One sentence with the counts that it rests on.
        counts: Those counts by name.
        witnesses: The first few rows that show it, worst first where there is a worst.
    """

    name: str
    kind: Literal["invariant", "budget", "harness"]
    ruling: Literal["pass", "unknown", "fail"]
    evidence: str
    counts: dict[str, float | int | None] = {}
    witnesses: tuple[dict[str, Any], ...] = ()


def severity(verdict: Verdict) -> Ruling:
    """Return the verdict's ruling in order of severity."""
    return Ruling[verdict.ruling.upper()]


def overall(verdicts: Iterable[Verdict]) -> Ruling:
    """Return the worst ruling; of no verdicts at all it is UNKNOWN, never a pass."""
    return max((severity(verdict) for verdict in verdicts), default=Ruling.UNKNOWN)


EXIT_CODES: Final = {
    0: "pass",
    1: "a budget or invariant failed",
    2: "invalid plan or usage",
    3: "unknown (nothing tested, generator saturated, baseline unsteady, ledger unread)",
    4: "the harness itself failed",
    5: "stopped by a stop condition or by hand",
    6: "clean-up failed",
}

PRECEDENCE: Final = (2, 4, 6, 1, 5, 3, 0)
"""Which exit code wins when several apply, first to last."""


def worst_exit_code(codes: Iterable[int]) -> int:
    """Return the code that takes precedence; 3 when there is none, since nothing was tested."""
    return min(codes, key=PRECEDENCE.index, default=3)
