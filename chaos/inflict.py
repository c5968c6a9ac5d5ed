"""The one door to all faults: a fault is a value, and `inflict` acts it out and undoes it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import assert_never

from chaos.flap import flapping
from chaos.flush import flushed
from chaos.hands import Beat, Hands
from chaos.hooks import hooked
from chaos.network import broken_connection
from chaos.postgres.connections import exhausted
from chaos.postgres.failback import failed_back
from chaos.postgres.failover import failed_over
from chaos.postgres.lag import lagging
from chaos.postgres.lock import locked
from chaos.postgres.restore import restored
from chaos.processes.crashing import crash_looping, killed
from chaos.processes.hogging import hogged
from chaos.processes.pausing import paused
from chaos.processes.restarting import restarted, rolling
from chaos.respond import responding
from doorbuster import faults
from doorbuster.faults import Fault

__all__ = ["Hands", "inflict"]


@contextmanager
def inflict(fault: Fault, hands: Hands) -> Iterator[Beat | None]:
    """Begin `fault` on entry, seen to act, and lift it on exit, seen to be gone.

    The exit lifts it however the body ends. A fault that cannot be lifted raises `FaultStuck`. A
    failover's exit is its second half, so call it once the detection time is over. What is entered
    is the fault's beat, to be called at each of its `beats_s`; None if it has none. Enter, beat
    and exit in the main thread: what starts processes has to.
    """
    hands.on.add(fault.name)
    try:
        with acting(fault, hands) as beat:
            yield beat
    finally:
        hands.on.discard(fault.name)


def acting(fault: Fault, hands: Hands) -> AbstractContextManager[Beat | None]:
    """Return the acting out of a fault's kind."""
    found: AbstractContextManager[Beat | None]
    match fault.kind:
        case faults.Flap():
            found = flapping(fault, hands)
        case (
            faults.Latency()
            | faults.Bandwidth()
            | faults.Timeout()
            | faults.Blackhole()
            | faults.ResetPeer()
            | faults.SlowClose()
            | faults.Slicer()
            | faults.LimitData()
            | faults.Down()
            | faults.Partition()
        ) as kind:
            found = broken_connection(fault, kind, hands)
        case faults.Respond() as kind:
            found = responding(fault, kind, hands)
        case faults.Flush():
            found = flushed(fault, hands)
        case faults.Hooks() as kind:
            found = hooked(fault, kind, hands)
        case (
            faults.Kill()
            | faults.Pause()
            | faults.Restart()
            | faults.Rolling()
            | faults.CrashLoop()
            | faults.Hog()
        ) as kind:
            found = of_processes(fault, kind, hands)
        case kind:
            found = of_postgres(fault, kind, hands)
    return found


def of_processes(
    fault: Fault, kind: faults.ProcessKind, hands: Hands
) -> AbstractContextManager[Beat | None]:
    match kind:
        case faults.Kill():
            return killed(fault, hands)
        case faults.Pause():
            return paused(fault, hands)
        case faults.Restart():
            return restarted(fault, kind, hands)
        case faults.Rolling():
            return rolling(fault, kind, hands)
        case faults.CrashLoop():
            return crash_looping(fault, hands)
        case faults.Hog():
            return hogged(fault, kind, hands)
        case _:
            assert_never(kind)


def of_postgres(
    fault: Fault, kind: faults.PostgresKind, hands: Hands
) -> AbstractContextManager[Beat | None]:
    match kind:
        case faults.Failover():
            return failed_over(fault, kind, hands)
        case faults.Failback():
            return failed_back(fault, hands)
        case faults.Lag():
            return lagging(fault, kind, hands)
        case faults.Lock():
            return locked(fault, kind, hands)
        case faults.Connections():
            return exhausted(fault, kind, hands)
        case faults.Restore():
            return restored(fault, hands)
        case _:
            assert_never(kind)
