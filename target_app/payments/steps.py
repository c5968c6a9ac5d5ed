"""The instants of a payment at which a process may die: named, so that a test can cut there."""

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """Where a payment stands when an observer is called; each is after what it names."""

    INTENT_COMMITTED = "before the call"
    PROVIDER_ANSWERED = "after the call, before the commit"
    OUTCOME_COMMITTED = "after the commit, before the reply"
    EVENT_REMEMBERED = "in the webhook handler"


Observer = Callable[[Step], None]


def nothing(_step: Step) -> None:
    """Observe nothing, as every shop outside of a test does."""
