"""How steps are staged: who meets at which instant, and whose requests are sent twice."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from doorbuster.anchors import anchor_s
from doorbuster.plan.model import Plan
from doorbuster.plan.together import Doubled, Rendezvous
from scenarios.step import Result

if TYPE_CHECKING:  # what carries steps out knows how they are staged, not the other way round
    from scenarios.attempts import Wire

Work = Callable[["Wire"], Result]
Beside = Callable[[Work, "Wire"], AbstractContextManager[Callable[[], Result]]]
"""Begins some work beside that on the given wire, and yields what waits for its result."""


@contextmanager
def _afterwards(work: Work, wire: "Wire") -> Iterator[Callable[[], Result]]:
    """Do the work on the same wire when its result is wanted: one thing after the other."""
    yield lambda: work(wire)


@dataclass(frozen=True)
class Staging:
    """What a plan asks for: meetings with the second at which each is, and doubled steps."""

    meetings: Sequence[tuple[Rendezvous, float]] = ()
    doubled: Sequence[Doubled] = ()
    beside: Beside = _afterwards

    def meets_at_s(self, step: str, *, persona: str, due_s: float) -> float | None:
        """Return the instant for which somebody about to take `step` at `due_s` waits."""
        instants = (
            at_s
            for meeting, at_s in self.meetings
            if meeting.concerns(step, persona) and at_s - meeting.gather <= due_s < at_s
        )
        return min(instants, default=None)

    def doubles(self, step: str, *, persona: str, choices: Random) -> Doubled | None:
        """Return how somebody doubles `step`, if they do."""
        for doubled in self.doubled:
            if doubled.concerns(step, persona) and choices.random() < doubled.share:
                return doubled
        return None


ALONE: Final = Staging()


def staging_of(plan: Plan, beside: Beside) -> Staging:
    starts_s = plan.phase_starts_s
    meetings = [(meeting, anchor_s(meeting.at, starts_s)) for meeting in plan.traffic.rendezvous]
    return Staging(meetings, plan.traffic.doubled, beside)
