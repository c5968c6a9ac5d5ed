"""The tables of stock strategies and planted flaws, and what there is to know about each."""

from dataclasses import dataclass, replace
from typing import Any

from target_app.flaws import naive
from target_app.reservations import Reservations, conditional_update


@dataclass(frozen=True)
class Description:
    """What a plan's author reads before choosing, and which checks should notice.

    Attributes:
        title: The idea in a few words.
        correct: Whether it keeps the shop's promises.
        why: Why it does, or how it breaks them.
        seen_by: Names of the checks that must fail under a burst; empty for a correct one.
    """

    title: str
    correct: bool
    why: str
    seen_by: tuple[str, ...] = ()


CONDITIONAL_UPDATE = Reservations(
    reserve=conditional_update.reserve,
    claim=conditional_update.claim,
    release=conditional_update.release,
    retake=conditional_update.retake,
)

STRATEGIES: dict[str, tuple[Description, Reservations]] = {
    "conditional_update": (
        Description(
            title="one UPDATE that carries its own condition (A1)",
            correct=True,
            why="the condition is evaluated again on the row's newest version once it is locked",
        ),
        CONDITIONAL_UPDATE,
    ),
    "naive": (
        Description(
            title="read, check in the application, write the result (W1)",
            correct=False,
            why="two buyers read the same number and the second write undoes the first",
            seen_by=("no_oversell", "stock_conserved"),
        ),
        replace(CONDITIONAL_UPDATE, reserve=naive.reserve),
    ),
}

FLAWS: dict[str, Description] = {}
"""Planted flaws other than stock strategies, by id."""


def described() -> dict[str, Any]:
    strategies = {name: description for name, (description, _acts) in STRATEGIES.items()}
    return {"strategies": _listed(strategies), "flaws": _listed(FLAWS)}


def _listed(table: dict[str, Description]) -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            "title": entry.title,
            "correct": entry.correct,
            "why": entry.why,
            "seen_by": list(entry.seen_by),
        }
        for name, entry in table.items()
    ]
