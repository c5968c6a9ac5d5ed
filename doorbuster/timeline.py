"""The timeline of a plan: every phase and fault as a pair of moments, sorted; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from doorbuster.faults import Fault
from doorbuster.plan import Plan

Kind = Literal["phase", "fault", "gate", "beat"]

_ORDER: Final = {
    ("fault", False): 0,
    ("phase", False): 1,
    ("gate", True): 2,
    ("phase", True): 3,
    ("fault", True): 4,
    ("beat", True): 5,
}
"""At one moment what ends goes before what begins, and the gate before what it guards."""


@dataclass(frozen=True)
class Event:
    """One moment of the timeline: something begins or ends.

    The gate is a moment only: what follows it happens if the baseline was steady. So is a beat,
    at which a fault that is on acts again.
    """

    at_s: float
    kind: Kind
    begins: bool
    name: str
    fault: Fault | None = None
    beat: int = 0
    """Which of its fault's beats it is, from 1."""


def timeline(plan: Plan) -> list[Event]:
    """Return the events of `plan` in the order in which they are acted out."""
    return sorted(
        _events(plan), key=lambda event: (event.at_s, _ORDER[event.kind, event.begins], event.name)
    )


def _events(plan: Plan) -> Iterator[Event]:
    for phase in plan.traffic.arrivals:
        begins_s, ends_s = plan.phase_span_s(phase.phase)
        yield Event(begins_s, "phase", True, phase.phase)
        yield Event(ends_s, "phase", False, phase.phase)
    yield Event(plan.baseline_s, "gate", True, "baseline")
    for fault in plan.faults:
        yield from fault_events(fault, plan.fault_span_s(fault)[0])


def fault_events(fault: Fault, begins_s: float) -> Iterator[Event]:
    """Return the begin of a fault, its beats and its end."""
    yield Event(begins_s, "fault", True, fault.name, fault)
    for beat, after_s in enumerate(fault.beats_s, 1):
        yield Event(begins_s + after_s, "beat", True, fault.name, fault, beat)
    yield Event(begins_s + fault.lifted_after_s, "fault", False, fault.name, fault)
