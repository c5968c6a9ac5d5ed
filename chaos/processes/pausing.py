"""Processes that are stopped and let go on."""

from contextlib import ExitStack, contextmanager
from functools import partial

from chaos.hands import Acting, Hands
from chaos.probe import is_going, is_stopped
from chaos.processes.acting import act, components_of, restart
from doorbuster.components import Component
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault


@contextmanager
def paused(fault: Fault, hands: Hands) -> Acting:
    """Stop the component's processes without closing anything; they go on at the end."""
    with ExitStack() as mending:
        for component in components_of(fault, hands):
            mending.callback(resume, component, fault, hands)
            stop(component, fault, hands)
        yield None


def stop(component: Component, fault: Fault, hands: Hands) -> None:
    act("SIGSTOP", component, component.pause, fault=fault, hands=hands)
    hands.require_seen(partial(is_stopped, component), what=f"the stop of {component.name}")


def resume(component: Component, fault: Fault, hands: Hands) -> None:
    """Let it go on; one that does not is killed and started again."""
    try:
        act("SIGCONT", component, component.resume, fault=fault, hands=hands)
        hands.require_seen(partial(is_going, component), what=f"{component.name} going on")
    except DoorbusterError as error:
        hands.step("escalated", fault=fault.name, way="killed and restarted", why=str(error))
        restart(component, fault, hands)
