"""What faults act with: the system under test, the proxy's API, the journal; and how they tell."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Unpack

from chaos.calls import Call
from chaos.pledge import Pledge
from chaos.probe import proxy_listens
from chaos.switches import SwitchApi, Switches
from chaos.toxiproxy import ToxicMembers
from doorbuster.components import Topology, require_proxy
from doorbuster.errors import DoorbusterError, FaultStuck
from doorbuster.journal import JournalEvent

LOOK_EVERY_S = 0.01

Beat = Callable[[], None]
"""What a fault does at each of its beats, the moments after its begin at which it acts again."""

Acting = Iterator[Beat | None]
"""What the body of a fault yields: its beat, None for one that has none."""


def nobody_to_tell(*_told: object) -> None:
    """Be the default of whoever is told of something."""


class ProxyApi(SwitchApi, Protocol):
    """What faults ask of a client of the Toxiproxy API; removing what is not there is fine."""

    def add_toxic(self, proxy: str, **toxic: Unpack[ToxicMembers]) -> object:
        """Add a toxic to a proxy."""

    def remove_toxic(self, proxy: str, name: str) -> None:
        """Remove it."""

    def recreate(self, name: str) -> None:
        """Delete a proxy and create it as it was, enabled and without toxics."""

    def point(self, name: str, *, upstream: str) -> None:
        """Let a proxy lead elsewhere."""

    def toxics(self, proxy: str) -> Sequence[Mapping[str, Any]]:
        """Return the toxics of a proxy."""


class EventLog(Protocol):
    """What faults ask of the journal."""

    def record(
        self, kind: Any, edge: Any, name: str, /, **detail: str | float | bool | None
    ) -> JournalEvent:
        """Write one event, stamped now."""


@dataclass(frozen=True)
class Hands:
    """What a fault needs to act, the same for all faults of a run.

    Args:
        seed: Decides which requests a provider that misbehaves for a share of them picks.
        switches: Keeps apart the faults that want the same proxy shut.
        behaviours: Keeps apart the faults that want the provider to misbehave.
        on: The names of the faults that are on.
        given_up: The components that a fault has ended for good: the old primary of a failover.
        pledges: What ends faults which would outlive us, by the faults' names.
        on_pledge: Told of all pledges when they change: whoever keeps them should we die.
        on_call: Told before each call and at each step of a fault, since they may take a while, and
            how much longer than that the plan lets them.
        logs: The file that hooks' output goes to.
        listening: Says whether a proxy of the API at a URL takes connections.
        patience_s: How long to look for what a call should have changed.
    """

    topology: Topology
    api: ProxyApi
    journal: EventLog
    seed: int
    switches: Switches = field(default_factory=Switches)
    behaviours: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    on: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    pledges: dict[str, Pledge] = field(default_factory=dict)
    on_pledge: Callable[[Mapping[str, Pledge]], None] = nobody_to_tell
    on_call: Callable[[float], None] = nobody_to_tell
    logs: Path = Path(os.devnull)
    listening: Callable[[str, str], bool] = proxy_listens
    patience_s: float = 2.0

    def pledge(self, fault: str, by: Pledge) -> None:
        """Have `fault` ended so should we die before we do it."""
        self.pledges[fault] = by
        self.on_pledge(self.pledges)

    def redeem(self, fault: str) -> None:
        """Take the pledge back: the fault has ended."""
        self.pledges.pop(fault, None)
        self.on_pledge(self.pledges)

    def shut(self, proxy: str, *, fault: str) -> None:
        self.switches.shut(self.api, proxy, by=fault)

    def open(self, proxy: str, *, fault: str) -> None:
        self.switches.open(self.api, proxy, by=fault)

    def listens(self, proxy: str) -> bool:
        return self.listening(self.topology.proxy_api, proxy)

    def require_seen(self, seen: Callable[[], bool], *, what: str) -> None:
        """Look until `seen` says yes; a fault that cannot be seen to act would prove nothing."""
        give_up_s = time.monotonic() + self.patience_s
        while not seen():
            if time.monotonic() > give_up_s:
                raise DoorbusterError(f"{what} is not to be seen {self.patience_s:g} s after it")
            time.sleep(LOOK_EVERY_S)

    @contextmanager
    def called(self, call: Call, *, fault: str, takes_s: float = 0.0) -> Iterator[None]:
        """Journal a call before and after it is made: when it took effect lies in between.

        `takes_s` is what the plan gives it beyond what any call may take.
        """
        self.on_call(takes_s)
        self.journal.record("call", "point", call.line, fault=fault, before=True)
        try:
            yield
        except DoorbusterError as error:
            self.journal.record(
                "call", "point", call.line, fault=fault, before=False, error=str(error)
            )
            require_proxy(self.topology)
            raise
        self.journal.record("call", "point", call.line, fault=fault, before=False)

    def step(self, name: str, *, fault: str, **detail: str | float | bool | None) -> None:
        """Journal a stage within a fault."""
        self.on_call(0.0)
        self.journal.record("step", "point", name, fault=fault, **detail)


def stuck(fault: str, error: Exception, *, by_hand: str) -> FaultStuck:
    """Return the error that ends the run: it says what is still broken and how to mend it."""
    return FaultStuck(f"fault {fault!r} could not be lifted ({error}); by hand: {by_hand}")
