"""Faults of processes: killed and started again, stopped and let go on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from chaos.calls import Call
from chaos.hands import Hands, stuck
from chaos.probe import is_ended, is_going, is_stopped
from doorbuster.components import Component
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault

Act = Callable[[], None]


@contextmanager
def killed(fault: Fault, hands: Hands) -> Iterator[None]:
    """End the component's processes as a crash does, and start them again at the end."""
    with ExitStack() as mending:
        for component in components_of(fault, hands):
            mending.callback(restart, component, fault, hands)
            act("SIGKILL", component, component.kill, fault=fault, hands=hands)
            hands.require_seen(partial(is_ended, component), what=f"the end of {component.name}")
        yield


@contextmanager
def paused(fault: Fault, hands: Hands) -> Iterator[None]:
    """Stop the component's processes without closing anything; they go on at the end."""
    with ExitStack() as mending:
        for component in components_of(fault, hands):
            mending.callback(resume, component, fault, hands)
            act("SIGSTOP", component, component.pause, fault=fault, hands=hands)
            hands.require_seen(partial(is_stopped, component), what=f"the stop of {component.name}")
        yield


def components_of(fault: Fault, hands: Hands) -> Sequence[Component]:
    """Return the components that the fault is on: `storefront` means all its replicas."""
    components = hands.topology.components
    if fault.on in components:
        return [components[fault.on]]
    replicas = [part for name, part in components.items() if name.startswith(f"{fault.on}-")]
    if not replicas:
        raise DoorbusterError(f"fault {fault.name!r}: the stack has no {fault.on!r}")
    return replicas


def restart(component: Component, fault: Fault, hands: Hands) -> None:
    try:
        act("restart", component, component.restart, fault=fault, hands=hands)
    except DoorbusterError as error:
        raise stuck(fault.name, error, by_hand=f"see {component.logs}, start it again") from error


def resume(component: Component, fault: Fault, hands: Hands) -> None:
    try:
        act("SIGCONT", component, component.resume, fault=fault, hands=hands)
        hands.require_seen(partial(is_going, component), what=f"{component.name} going on")
    except DoorbusterError as error:
        pids = " ".join(str(pid) for pid in component.pids())
        raise stuck(fault.name, error, by_hand=f"kill -CONT {pids}") from error


def act(verb: str, component: Component, deed: Act, *, fault: Fault, hands: Hands) -> None:
    with hands.called(Call(verb, component.name), fault=fault.name):
        deed()
