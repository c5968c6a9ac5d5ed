"""Faults of the network: toxics on proxies and proxies shut, seen to act and seen to be gone."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from chaos.calls import Breakage, NetworkKind, calls_for, switch_call
from chaos.hands import Hands, stuck
from doorbuster.components import proxy_is_gone
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault


@contextmanager
def broken_connection(fault: Fault, kind: NetworkKind, hands: Hands) -> Iterator[None]:
    """Break every proxy of the fault's connection, and mend all of them however the body ends."""
    with ExitStack() as mending:
        for breakage in calls_for(fault.name, kind, proxies_of(fault, hands)):
            # Before the call, since one that is not answered may have taken effect.
            mending.callback(mend, breakage, fault.name, hands)
            begin(breakage, fault.name, hands)
        yield


def proxies_of(fault: Fault, hands: Hands) -> list[str]:
    if fault.on == "postgres":
        return [node.proxy for node in hands.topology.database]
    return list(hands.topology.proxies[fault.on])


def begin(breakage: Breakage, fault: str, hands: Hands) -> None:
    toxic = breakage.toxic
    with hands.called(breakage.begin, fault=fault):
        if toxic is None:
            hands.shut(breakage.proxy, fault=fault)
        else:
            hands.api.add_toxic(
                breakage.proxy,
                name=toxic.name,
                type=toxic.type,
                attributes=toxic.attributes,
                stream=toxic.stream,
            )
    hands.require_seen(partial(acts, breakage, hands), what=f"{fault!r} on {breakage.proxy}")


def mend(breakage: Breakage, fault: str, hands: Hands) -> None:
    """Undo `begin` and see that it is undone; if that fails, by force.

    Where the proxy itself has ended there is nothing to undo; the run fails for that.
    """
    try:
        send_end(breakage, fault, hands)
        hands.require_seen(partial(is_gone, breakage, hands), what=f"the end of {fault!r}")
    except DoorbusterError as error:
        if proxy_is_gone(hands.topology):
            return
        if breakage.toxic is None:
            raise stuck(fault, error, by_hand=by_hand(breakage, hands)) from error
        mend_by_force(breakage, fault, hands)


def send_end(breakage: Breakage, fault: str, hands: Hands) -> None:
    with hands.called(breakage.end, fault=fault):
        if breakage.toxic is None:
            hands.open(breakage.proxy, fault=fault)
        else:
            hands.api.remove_toxic(breakage.proxy, breakage.toxic.name)


def mend_by_force(breakage: Breakage, fault: str, hands: Hands) -> None:
    """Remove a toxic whose removal hangs (toxiproxy #558): without connections it lets go."""
    try:
        try:
            with hands.called(switch_call(breakage.proxy, enabled=False), fault=fault):
                hands.shut(breakage.proxy, fault=fault)
        finally:
            with hands.called(switch_call(breakage.proxy, enabled=True), fault=fault):
                hands.open(breakage.proxy, fault=fault)
        send_end(breakage, fault, hands)
        hands.require_seen(partial(is_gone, breakage, hands), what=f"the end of {fault!r}")
    except DoorbusterError as error:
        raise stuck(fault, error, by_hand=by_hand(breakage, hands)) from error


def by_hand(breakage: Breakage, hands: Hands) -> str:
    return breakage.end.by_hand(hands.topology.proxy_api)


def acts(breakage: Breakage, hands: Hands) -> bool:
    if breakage.toxic is None:
        return not hands.listens(breakage.proxy)
    return breakage.toxic.name in toxic_names(breakage.proxy, hands)


def is_gone(breakage: Breakage, hands: Hands) -> bool:
    """Say whether the fault has let go; a proxy may stay shut for the sake of another fault."""
    if breakage.toxic is None:
        return hands.switches.is_shut(breakage.proxy) or hands.listens(breakage.proxy)
    return breakage.toxic.name not in toxic_names(breakage.proxy, hands)


def toxic_names(proxy: str, hands: Hands) -> set[str]:
    return {str(toxic["name"]) for toxic in hands.api.toxics(proxy)}
