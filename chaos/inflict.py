"""The one door to all faults: a fault is a value, and `inflict` acts it out and undoes it."""

from contextlib import AbstractContextManager
from typing import assert_never

from chaos.failover import failed_over
from chaos.hands import Hands
from chaos.network import broken_connection
from chaos.processes import killed, paused
from chaos.respond import responding
from doorbuster.faults import (
    Down,
    Failover,
    Fault,
    Kill,
    Latency,
    Pause,
    ResetPeer,
    Respond,
    Timeout,
)

__all__ = ["Hands", "inflict"]


def inflict(fault: Fault, hands: Hands) -> AbstractContextManager[None]:
    """Return what begins `fault` on entry, seen to act, and lifts it on exit, seen to be gone.

    The exit lifts it however the body ends. A fault that cannot be lifted raises `FaultStuck`. A
    failover's exit is its second half, so call it once the detection time is over. Enter and exit
    in the main thread: what starts processes has to.
    """
    match fault.kind:
        case Latency() | Timeout() | ResetPeer() | Down() as kind:
            return broken_connection(fault, kind, hands)
        case Kill():
            return killed(fault, hands)
        case Pause():
            return paused(fault, hands)
        case Failover() as kind:
            return failed_over(fault, kind, hands)
        case Respond() as kind:
            return responding(fault, kind, hands)
        case kind:
            assert_never(kind)
