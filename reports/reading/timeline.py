"""When things happened in a run, read from its journal: clock, phases, faults, stages, accidents.

All moments are seconds on the run's clock. A journal cut short is no error: what it does not say
is None.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from doorbuster.journal import NO_FAULT_STANDS, Edge, JournalEvent, Kind


@dataclass(frozen=True)
class FaultSpan:
    """One fault as it was acted out; a moment that the journal does not have is None."""

    name: str
    on: str
    kind: str
    begin_s: float
    active_s: float | None
    end_s: float | None
    lifted_s: float | None
    steps_s: dict[str, float] = field(default_factory=dict)
    """Stages within the fault, such as `promoted`, by name."""


@dataclass(frozen=True)
class Remark:
    """What somebody saw (`note`) or did (`act`); `who` is None for the harness itself."""

    at_s: float | None
    kind: Kind
    text: str
    who: str | None


@dataclass(frozen=True)
class Gate:
    """What the baseline gate said."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class Timeline:
    """Questions to a journal."""

    journal: Sequence[JournalEvent]

    @cached_property
    def zero_s(self) -> float | None:
        """Second 0 of the run on the director's monotonic clock, None before it was set."""
        for event in self._events("clock", "point", "zero"):
            zero = event.detail.get("zero_monotonic_s", event.monotonic_s)
            return float(zero) if isinstance(zero, int | float) else event.monotonic_s
        return None

    @property
    def ended(self) -> bool:
        """Whether the director came to the end of the run."""
        return any(self._events("run", "end"))

    @property
    def ledger_rows(self) -> int | None:
        """Rows that the final read wrote of the shop's ledger, None unless it was read whole."""
        return self._rows_read("ledger read")

    @property
    def provider_rows(self) -> int | None:
        """Rows that the final read wrote of the provider's book, None unless it was read whole."""
        return self._rows_read("provider read")

    @property
    def offers(self) -> frozenset[str] | None:
        """What the shop offered to judge it by, None where the journal does not say."""
        for event in self._events("stage", "point", "shop"):
            return frozenset(str(event.detail.get("offers", "")).split())
        return None

    @property
    def quiesced(self) -> bool:
        """Whether the shop had come to rest before its books were read."""
        events = list(self._events("stage", "point", "quiesced"))
        return bool(events) and events[-1].detail.get("quiet") is True

    @property
    def clean(self) -> bool:
        """Whether somebody looked at the very end, and nothing of the run was left."""
        return any(self._events("stage", "point", "clean"))

    @property
    def no_fault_stands(self) -> bool:
        """Whether somebody looked after the last fault, and nothing of any was left."""
        looked = self._events("stage", "point", NO_FAULT_STANDS)
        return any(event.detail.get("when") == "after the last fault" for event in looked)

    @property
    def gate(self) -> Gate | None:
        """What the baseline gate said, None when the run did not come that far."""
        for event in self._events("gate", "point"):
            return Gate(event.detail.get("passed") is True, str(event.detail.get("reason") or ""))
        return None

    @property
    def stops(self) -> list[str]:
        """What ended the run before its time: stop conditions, or `by hand`."""
        return [event.name for event in self._events("stop", "point")]

    @property
    def lost_workers(self) -> list[str]:
        """What was lost of the generator: itself, or some of its workers."""
        return [str(e.detail.get("message")) for e in self._events("worker", "point", "lost")]

    @property
    def records_missing(self) -> str | None:
        """Why operations may have been done that no file tells of; None if all were written."""
        for event in self._events("worker", "point", "lost"):
            if event.detail.get("kept") is False:
                return "the last operations of a lost worker never came home"
        return None

    @property
    def failures(self) -> list[JournalEvent]:
        """Failures of the harness itself."""
        return list(self._events("failure"))

    @property
    def remarks(self) -> list[Remark]:
        """What people and the harness noted, and what people did, in order."""
        return [
            Remark(self.at_s(event), event.kind, event.name, _who(event))
            for event in self.journal
            if event.kind in ("note", "act")
        ]

    def first_by_people_s(self, kind: Kind, fault: FaultSpan) -> float | None:
        """Return when people first noted or did something after `fault` had begun.

        What comes after the next fault's begin may be about that one.
        """
        later = (other.begin_s for other in self.faults if other.begin_s > fault.begin_s)
        until_s = min(later, default=math.inf)
        moments = (r.at_s for r in self.remarks if r.kind == kind and r.who is not None)
        within = (at_s for at_s in moments if at_s and fault.begin_s <= at_s < until_s)
        return min(within, default=None)

    @cached_property
    def faults(self) -> tuple[FaultSpan, ...]:
        """The faults that were begun, in order."""
        if self.zero_s is None:
            return ()
        return tuple(self._fault(event) for event in self._events("fault", "begin"))

    def at_s(self, event: JournalEvent) -> float | None:
        """Return when `event` happened on the run's clock."""
        return None if self.zero_s is None else event.monotonic_s - self.zero_s

    def moment_s(self, kind: Kind, edge: Edge, name: str) -> float | None:
        """Return when something first happened, None if it did not."""
        return next((self.at_s(event) for event in self._events(kind, edge, name)), None)

    def _events(
        self, kind: Kind, edge: Edge | None = None, name: str | None = None
    ) -> Iterator[JournalEvent]:
        for event in self.journal:
            if event.kind == kind and edge in (None, event.edge) and name in (None, event.name):
                yield event

    def _fault(self, begun: JournalEvent) -> FaultSpan:
        name = begun.name
        begin_s = self.at_s(begun)
        assert begin_s is not None, "asked only when the clock is set"
        steps = (e for e in self._events("step") if e.detail.get("fault") == name)
        return FaultSpan(
            name=name,
            on=str(begun.detail.get("on", "")),
            kind=str(begun.detail.get("kind", "")),
            begin_s=begin_s,
            active_s=self.moment_s("fault", "active", name),
            end_s=self.moment_s("fault", "end", name),
            lifted_s=self.moment_s("fault", "lifted", name),
            steps_s={step.name: self.at_s(step) or 0.0 for step in steps},
        )

    def _rows_read(self, book: str) -> int | None:
        """Return the rows of `book`; the stage's end comes after it unless the read was cut."""
        rows: int | None = None
        for event in self.journal:
            if event.kind != "stage":
                continue
            if event.name == book:
                rows = int(event.detail.get("rows") or 0)
            elif event.name == "final read" and event.edge == "end":
                return rows
        return None


def _who(event: JournalEvent) -> str | None:
    who = event.detail.get("who")
    return None if who is None else str(who)
