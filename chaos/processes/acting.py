"""What all faults of processes do: find the components, act on them, start them again."""

from collections.abc import Callable, Sequence
from functools import partial

from chaos.calls import Call
from chaos.hands import Hands, stuck
from chaos.probe import is_ended
from chaos.respond import tell_again
from doorbuster.components import Component
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault

Act = Callable[[], object]


def components_of(fault: Fault, hands: Hands) -> Sequence[Component]:
    """Return the components that the fault is on: `storefront` means all its replicas."""
    components = hands.topology.components
    if fault.on in components:
        return [components[fault.on]]
    replicas = [part for name, part in components.items() if name.startswith(f"{fault.on}-")]
    if not replicas:
        raise DoorbusterError(f"fault {fault.name!r}: the stack has no {fault.on!r}")
    return replicas


def act(verb: str, component: Component, deed: Act, *, fault: Fault, hands: Hands) -> None:
    with hands.called(Call(verb, component.name), fault=fault.name):
        deed()


def kill(component: Component, fault: Fault, hands: Hands) -> None:
    act("SIGKILL", component, component.kill, fault=fault, hands=hands)
    hands.require_seen(partial(is_ended, component), what=f"the end of {component.name}")


def end(component: Component, fault: Fault, hands: Hands, *, grace_s: float) -> None:
    """Ask it to end, as a deployment does, and end it at once if it does not in time."""
    with hands.called(Call("stop", component.name), fault=fault.name, takes_s=grace_s):
        component.end(grace_s)
    hands.require_seen(partial(is_ended, component), what=f"the end of {component.name}")


def restart(component: Component, fault: Fault, hands: Hands) -> None:
    """Start it again, a second time if need be."""
    try:
        start(component, fault, hands)
    except DoorbusterError as error:
        hands.step("escalated", fault=fault.name, way="started once more", why=str(error))
        try:
            start(component, fault, hands)
        except DoorbusterError as last:
            by_hand = f"see {component.logs}, start it again"
            raise stuck(fault.name, last, by_hand=by_hand) from last


def start(component: Component, fault: Fault, hands: Hands) -> None:
    """Start it again and wait until it is ready, unless that may need another fault's end.

    Faults are lifted one after the other, so a storefront that waited here for a database that is
    cut off would keep the database from being mended.
    """
    if component.name.startswith("storefront") and hands.on - {fault.name}:
        act("launch", component, component.launch, fault=fault, hands=hands)
        hands.require_seen(lambda: not is_ended(component), what=f"{component.name} running")
        return
    act("restart", component, component.restart, fault=fault, hands=hands)
    if component.name == "provider":
        tell_again(fault, hands)
