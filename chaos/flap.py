"""A connection that goes down and comes up, over and over."""

from contextlib import contextmanager

from chaos.calls import Breakage, calls_for
from chaos.hands import Acting, Hands
from chaos.network import begin, broken_connection, mend, proxies_of
from doorbuster.faults import Down, Fault


@contextmanager
def flapping(fault: Fault, hands: Hands) -> Acting:
    """Shut the connection; at each beat open it, or shut it again. At the end it is open."""
    breakages = calls_for(fault.name, Down(), proxies_of(fault, hands))

    def beat() -> None:
        for breakage in breakages:
            turn(breakage, fault.name, hands)

    with broken_connection(fault, Down(), hands):
        yield beat


def turn(breakage: Breakage, fault: str, hands: Hands) -> None:
    if hands.switches.is_wanted(breakage.proxy, by=fault):
        mend(breakage, fault, hands)
    else:
        begin(breakage, fault, hands)
