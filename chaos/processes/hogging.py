"""Busy processes that want the same processors as a component."""

from contextlib import ExitStack, contextmanager
from functools import partial

from chaos.hands import Acting, Hands, stuck
from chaos.processes.acting import act, components_of
from doorbuster.components import Component
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault, Hog

MARGIN_S = 5.0
"""How long after the fault's end the busy processes end by themselves."""


@contextmanager
def hogged(fault: Fault, kind: Hog, hands: Hands) -> Acting:
    """Start the busy processes beside each component, and end them."""
    bound_s = fault.lifted_after_s + MARGIN_S
    with ExitStack() as mending:
        for component in components_of(fault, hands):
            mending.callback(relieve, component, fault, hands)
            hog = partial(component.start_hog, cores=kind.cores, bound_s=bound_s)
            act("hog", component, hog, fault=fault, hands=hands)
            hands.require_seen(
                partial(has_hogs, component, kind.cores), what=f"the hog beside {component.name}"
            )
        yield None


def has_hogs(component: Component, count: int) -> bool:
    return len(component.hogs()) == count


def relieve(component: Component, fault: Fault, hands: Hands) -> None:
    try:
        act("unhog", component, component.end_hog, fault=fault, hands=hands)
        hands.require_seen(
            partial(has_hogs, component, 0), what=f"the end of the hog beside {component.name}"
        )
    except DoorbusterError as error:
        pids = " ".join(map(str, component.hogs()))
        raise stuck(fault.name, error, by_hand=f"kill -9 {pids}") from error
