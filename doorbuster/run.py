"""The run loop: acts out a plan's timeline on one clock, then heals, waits and reads the books.

It knows neither stacks nor Locust nor proxies: they come in as `Parts`. A run takes these steps,
each a span in the journal:

1. The stack comes up, and the sale is set with its opening on the run's clock.
2. Traffic starts; phases and faults begin and end at their moments.
3. After the first phase the baseline gate: without a steady baseline no fault starts.
4. Arrivals end; sessions in flight get their time. Faults still on are lifted, whatever happened.
5. The shop comes to rest, and its books and the payment provider's are read.
6. The stack ends. The journal says so; what it all means is for `reports` to say.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from doorbuster.appointment import clock_of
from doorbuster.clock import Clock
from doorbuster.components import Topology
from doorbuster.errors import DoorbusterError, FaultStuck
from doorbuster.faults import Fault
from doorbuster.gate import Gate
from doorbuster.journal import NO_FAULT_STANDS, Journal
from doorbuster.plan import Plan
from doorbuster.timeline import Event, timeline

LEAD_S: Final = 1.0
"""From the decision when second 0 is to the first arrival: time for everybody to hear of it."""

QUIESCE_MARGIN_S: Final = 12.0
"""Beyond the hold: the longest that resolving a payment takes, sweeps and reconciliation."""

Beat = Callable[[], None]
"""What a fault does at the moments at which it acts again."""


class RunEnded(Exception):
    """The timeline ends before its time: by a person, a condition, the gate, a lost worker.

    Whoever raises it has written down why.
    """


class Stopped(RunEnded):
    """A stop condition was met, or a person stopped the run."""

    def __init__(self, reason: str, *, by_hand: bool) -> None:
        super().__init__(reason)
        self.by_hand = by_hand


class Traffic(Protocol):
    """The generator's process."""

    def begin(self, clock: Clock) -> None:
        """Let the arrivals come, on this clock."""

    def check(self) -> None:
        """Raise if the generator ended before its time; `RunEnded` if somebody killed it."""

    def finish(self, *, now: bool) -> None:
        """Wait until sessions in flight have ended and all is written; with `now`, stop first.

        Raises:
            RunEnded: Somebody had enough of waiting; all is written nevertheless.
        """


class Shop(Protocol):
    """The shop's back office: what is done to it and read from it besides traffic."""

    def open_sale(self, plan: Plan, clock: Clock) -> None: ...

    def is_quiet(self) -> bool:
        """Tell whether no payment is in flight and no hold is left; False if it does not answer."""

    def read_ledger(self) -> int:
        """Copy the shop's books into the run directory and return the number of rows."""

    def read_provider(self) -> int:
        """Copy the provider's book into the run directory and return the number of rows."""


class ReadFailed(Exception):
    """The shop or the provider could not be read: a finding, not an accident."""


@dataclass(frozen=True)
class Parts:
    """What the run loop acts through; the command line plugs it together.

    Args:
        stack: Brings the system under test up and ends it.
        traffic: Starts the generator against it, ready to begin.
        shop: The shop's back office.
        inflict: A fault as a context: on when entered, seen to be gone when left. What is entered
            is called at each of the fault's beats.
        standing: Looks for faults that stand; one line for each.
        sample: Takes one-second samples of the system while the context is open.
        tick: Called several times a second with the present moment; raises to end the run.
        gate: Judges the baseline.
    """

    stack: Callable[[], AbstractContextManager[Topology]]
    traffic: Callable[[Topology], AbstractContextManager[Traffic]]
    shop: Callable[[Topology], AbstractContextManager[Shop]]
    inflict: Callable[[Fault, Topology], AbstractContextManager[Beat | None]]
    standing: Callable[[Topology], Sequence[str]]
    sample: Callable[[Topology, Clock], AbstractContextManager[None]]
    tick: Callable[[Clock | None], None]
    gate: Callable[[], Gate]


@dataclass(frozen=True)
class Rehearsal:
    """One run of a plan."""

    plan: Plan
    parts: Parts
    journal: Journal

    def run(self) -> None:
        """Act out the plan, from the first process started to the last one ended."""
        with self.journal.span("run", self.plan.name), ExitStack() as up:
            with self.journal.span("stage", "stack"):
                topology = up.enter_context(_closing(self.journal, self.parts.stack()))
            shop = up.enter_context(self.parts.shop(topology))
            hurry = self.drive(topology, shop)
            self._quiesce(shop, hurry=hurry)
            self._final_read(shop)

    def drive(self, topology: Topology, shop: Shop) -> bool:
        """Send the traffic and act out the timeline; return whether to hurry from here on."""
        self._require_clean(topology, "before the first fault")
        with self.journal.span("stage", "traffic"):
            try:
                ended = self._send(topology, shop)
            except RunEnded as early:  # while the generator got ready, waited, or came to its end
                ended = self._ended(early)
        self._require_clean(topology, "after the last fault")
        return isinstance(ended, Stopped) and ended.by_hand

    def _send(self, topology: Topology, shop: Shop) -> RunEnded | None:
        with self.parts.traffic(topology) as traffic:

            def meanwhile() -> None:
                self.parts.tick(None)
                traffic.check()

            clock = clock_of(self.plan, lead_s=LEAD_S, now=datetime.now(UTC), meanwhile=meanwhile)
            self.journal.record("clock", "point", "zero", zero_monotonic_s=clock.zero_monotonic_s)
            shop.open_sale(self.plan, clock)
            with self.parts.sample(topology, clock):
                traffic.begin(clock)
                ended = self._timeline(topology, traffic, clock)
                traffic.finish(now=ended is not None)
        return ended

    def _require_clean(self, topology: Topology, when: str) -> None:
        """Insist that no fault stands: what is measured and read must be the shop as it is."""
        if left := self.parts.standing(topology):
            raise FaultStuck(f"{when} there is still something of one: {'; '.join(left)}")
        self.journal.record("stage", "point", NO_FAULT_STANDS, when=when)

    def _timeline(self, topology: Topology, traffic: Traffic, clock: Clock) -> RunEnded | None:
        """Act out the timeline to its end; return what ended it early, if something did."""

        def wait_until(at_s: float) -> None:
            while (left_s := at_s - clock.now_s()) > 0:
                self.parts.tick(clock)
                traffic.check()
                time.sleep(min(left_s, 0.1))

        def act(event: Event) -> AbstractContextManager[Beat | None]:
            if event.fault is None:
                return self.journal.span("phase", event.name)
            inflicted = self.parts.inflict(event.fault, topology)
            return _fault_span(self.journal, event.fault, inflicted)

        try:
            act_out(timeline(self.plan), act=act, wait_until=wait_until, gate=self._gate)
        except RunEnded as early:
            return self._ended(early)
        return None

    def _ended(self, early: RunEnded) -> RunEnded:
        """Write down what ended the run early, unless the journal has it already."""
        if isinstance(early, Stopped):
            self.journal.record("stop", "point", str(early), by_hand=early.by_hand)
        return early

    def _gate(self) -> None:
        found = self.parts.gate()
        self.journal.record(
            "gate",
            "point",
            "baseline",
            passed=found.passed,
            steady_share=found.steady_share,
            reason=found.reason,
        )
        if not found.passed:
            raise RunEnded(found.reason)

    def _quiesce(self, shop: Shop, *, hurry: bool) -> None:
        """Wait until holds and payments have come to an end, so that the books are final.

        Stopped by hand there is no time for that; then the checks that need it are unknown.
        """
        with self.journal.span("stage", "quiesce"):
            began_s = time.monotonic()
            patience_s = 0.0 if hurry else self.plan.rest_s + QUIESCE_MARGIN_S
            quiet = shop.is_quiet()
            try:
                while not quiet and time.monotonic() < began_s + patience_s:
                    self.parts.tick(None)
                    time.sleep(0.25)
                    quiet = shop.is_quiet()
            except Stopped as early:
                self.journal.record("stop", "point", str(early), by_hand=early.by_hand)
            waited_s = round(time.monotonic() - began_s, 3)
            self.journal.record("stage", "point", "quiesced", quiet=quiet, waited_s=waited_s)

    def _final_read(self, shop: Shop) -> None:
        with self.journal.span("stage", "final read"):
            for name, read in (("ledger", shop.read_ledger), ("provider", shop.read_provider)):
                try:
                    self.journal.record("stage", "point", f"{name} read", rows=read())
                except ReadFailed as failed:
                    self.journal.record("note", "point", f"the {name} could not be read: {failed}")


def act_out(
    events: Sequence[Event],
    *,
    act: Callable[[Event], AbstractContextManager[Beat | None]],
    wait_until: Callable[[float], None],
    gate: Callable[[], None],
) -> None:
    """Begin and end everything at its moment; what is still on at the end is lifted then.

    Args:
        events: In the order in which they happen.
        act: What is on while a phase or fault lasts; entered, it gives the fault's beat.
        wait_until: Returns at a moment of the run's clock, or raises to end the run.
        gate: Returns if the baseline was steady, or raises to end the run.
    """
    with ExitStack() as held:
        open_: dict[tuple[str, str], ExitStack] = {}
        beats: dict[str, Beat | None] = {}
        for event in events:
            wait_until(event.at_s)
            if event.kind == "gate":
                gate()
            elif event.kind == "beat":
                if beat := beats[event.name]:
                    beat()
            elif event.begins:
                own = held.enter_context(ExitStack())
                beats[event.name] = own.enter_context(act(event))
                open_[event.kind, event.name] = own
            else:
                open_.pop((event.kind, event.name)).close()


@contextmanager
def _fault_span(
    journal: Journal, fault: Fault, inflicted: AbstractContextManager[Beat | None]
) -> Iterator[Beat | None]:
    """Stamp a fault before and after each of its ends, so that no figure starts too late."""
    journal.record("fault", "begin", fault.name, on=fault.on, kind=fault.word)
    with ExitStack() as held:
        beat = held.enter_context(inflicted)
        journal.record("fault", "active", fault.name)
        try:
            yield beat
        finally:
            journal.record("fault", "end", fault.name)
            held.close()
            journal.record("fault", "lifted", fault.name)


@contextmanager
def _closing(journal: Journal, stack: AbstractContextManager[Topology]) -> Iterator[Topology]:
    """Make the end of the stack a stage of its own in the journal, and its failure a failure."""
    with ExitStack() as held:
        topology = held.enter_context(stack)
        try:
            yield topology
        finally:
            with journal.span("stage", "clean-up"):
                try:
                    held.close()
                except DoorbusterError as error:
                    journal.record("failure", "point", "clean-up", message=str(error))
                    raise
