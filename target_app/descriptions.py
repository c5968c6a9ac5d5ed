"""What there is to know about a stock strategy or a planted flaw before choosing it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Description:
    """What a plan's author reads before choosing, and which checks should notice.

    Attributes:
        title: The idea in a few words.
        correct: Whether it keeps the shop's promises.
        why: Why it does, or how it breaks them.
        seen_by: Names of the checks that must fail under a burst, or `errors` where only a budget
            of them does; empty for a correct one.
        needs: What the stack must have besides the database, e.g. `redis`.
        replaces: The acts of the shop that a flaw takes the place of; of two flaws with one of them
            in common only the second would be planted.
    """

    title: str
    correct: bool
    why: str
    seen_by: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    replaces: frozenset[str] = frozenset()
