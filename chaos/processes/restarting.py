"""Restarts in good order: of a component, and of replicas one after the other."""

from contextlib import ExitStack, contextmanager

from chaos.hands import Acting, Hands
from chaos.processes.acting import components_of, end, restart
from doorbuster.components import Component
from doorbuster.faults import Fault, Restart, Rolling


@contextmanager
def restarted(fault: Fault, kind: Restart, hands: Hands) -> Acting:
    """Have the component end, and start it again at the end."""
    with ExitStack() as mending:
        for component in components_of(fault, hands):
            mending.callback(restart, component, fault, hands)
            end(component, fault, hands, grace_s=kind.grace)
        yield None


@contextmanager
def rolling(fault: Fault, kind: Rolling, hands: Hands) -> Acting:
    """Restart the first replica, and at each beat the next one; a later beat has none left."""
    waiting = list(components_of(fault, hands))

    def beat() -> None:
        if waiting:
            renew(waiting.pop(0), fault, kind, hands)

    beat()
    yield beat


def renew(replica: Component, fault: Fault, kind: Rolling, hands: Hands) -> None:
    """Restart one replica; it runs when this returns, however ending it went."""
    try:
        end(replica, fault, hands, grace_s=kind.grace)
    finally:
        restart(replica, fault, hands)
    hands.step("restarted", fault=fault.name, node=replica.name)
