"""The journal: what happened in a run and when, flushed line by line so that a kill loses nothing.

Spans are pairs of events: phases and stages of the run (`begin`, `end`) and faults (`begin` before
the first call, `active` when seen to work, `end` before the call that lifts, `lifted` when seen
gone). Every line has the wall clock and the monotonic clock; the `clock` event says which
monotonic moment is second 0 of the run.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

import msgspec

from doorbuster.patient_file import PatientFile

Kind = Literal[
    "run",
    "stage",
    "clock",
    "phase",
    "fault",
    "step",
    "call",
    "gate",
    "worker",
    "stop",
    "note",
    "act",
    "failure",
]
NO_FAULT_STANDS = "no fault stands"
"""The name of the event that says that somebody looked for faults and found none."""

Edge = Literal["begin", "end", "active", "lifted", "point"]


class JournalEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of `journal.ndjson`.

    Args:
        kind: `stage` is a part of the run (stack, traffic, heal, quiesce, final read, clean-up),
            `step` a stage within a fault (`detail.fault` names it), `call` one call to the
            proxy's API, `worker` what happened to a process of the generator (`joined`, `refused`,
            `clock`, `lost`), `note` and `act` what people saw and did (`detail.who`), `failure` a
            failure of the harness itself.
        monotonic_s: CLOCK_MONOTONIC of the director's machine, shared by all its processes.
    """

    kind: Kind
    edge: Edge
    name: str
    wall: str
    monotonic_s: float
    detail: dict[str, str | int | float | bool | None] = {}


class Journal:
    """Appends events to a file, each with one write, safe to use from several threads.

    An event that cannot be written raises nothing: faults are lifted all the same. `trouble` says
    so, and whoever directs the run ends it for that.
    """

    def __init__(self, path: Path) -> None:
        self._file = PatientFile(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def trouble(self) -> str:
        """Why events are not in the file, "" if all are."""
        return self._file.trouble

    def record(
        self, kind: Kind, edge: Edge, name: str, /, **detail: str | float | bool | None
    ) -> JournalEvent:
        """Write one event, stamped now, and return it."""
        event = JournalEvent(
            kind, edge, name, datetime.now(UTC).isoformat(), time.monotonic(), dict(detail)
        )
        self._file.append(msgspec.json.encode(event) + b"\n")
        return event

    @contextmanager
    def span(self, kind: Kind, name: str, /, **detail: str | float | bool | None) -> Iterator[None]:
        """Record `begin` on entry and `end` on exit, however the body ends."""
        self.record(kind, "begin", name, **detail)
        try:
            yield
        finally:
            self.record(kind, "end", name)
