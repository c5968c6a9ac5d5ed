"""Faults of the network: toxics on proxies and proxies shut, seen to act and seen to be gone."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from chaos.calls import Breakage, Call, calls_for, connections_of, switch_call
from chaos.hands import Acting, Hands, stuck
from chaos.toxiproxy import ToxicMembers
from doorbuster.components import proxy_is_gone
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault, NetworkKind


@contextmanager
def broken_connection(fault: Fault, kind: NetworkKind, hands: Hands) -> Acting:
    """Break every proxy of the fault's connection, and mend all of them however the body ends."""
    with ExitStack() as mending:
        for breakage in calls_for(fault.name, kind, proxies_of(fault, hands)):
            # Before the call, since one that is not answered may have taken effect.
            mending.callback(mend, breakage, fault.name, hands)
            begin(breakage, fault.name, hands)
        yield None


def proxies_of(fault: Fault, hands: Hands) -> list[str]:
    """Return the proxies of the fault's connections; a shop may do without some of them."""
    nodes = {node.component.name: [node.proxy] for node in hands.topology.database}
    known: dict[str, Sequence[str]] = {**hands.topology.proxies, **nodes}
    return [proxy for name in connections_of(fault) for proxy in known.get(name, ())]


def begin(breakage: Breakage, fault: str, hands: Hands) -> None:
    toxic = breakage.toxic
    with hands.called(breakage.begin, fault=fault):
        if toxic is None:
            hands.shut(breakage.proxy, fault=fault)
        else:
            hands.api.add_toxic(breakage.proxy, **toxic.members)
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
        escalate(breakage, fault, hands, why=str(error))


def send_end(breakage: Breakage, fault: str, hands: Hands) -> None:
    with hands.called(breakage.end, fault=fault):
        if breakage.toxic is None:
            hands.open(breakage.proxy, fault=fault)
        else:
            hands.api.remove_toxic(breakage.proxy, breakage.toxic.name)


def escalate(breakage: Breakage, fault: str, hands: Hands, *, why: str) -> None:
    """Lift by force what would not go, the gentlest way first, and say so in the journal."""
    ways = [("proxy shut and opened", shut_and_open), ("proxy made anew", make_anew)]
    for name, way in ways if breakage.toxic is not None else ways[1:]:
        hands.step("escalated", fault=fault, proxy=breakage.proxy, way=name, why=why)
        try:
            way(breakage, fault, hands)
            hands.require_seen(partial(is_gone, breakage, hands), what=f"the end of {fault!r}")
        except DoorbusterError as error:
            why, last = str(error), error
        else:
            return
    raise stuck(fault, last, by_hand=by_hand(breakage, hands)) from last


def shut_and_open(breakage: Breakage, fault: str, hands: Hands) -> None:
    """Remove a toxic whose removal hangs (toxiproxy #558): without connections it lets go."""
    try:
        with hands.called(switch_call(breakage.proxy, enabled=False), fault=fault):
            hands.shut(breakage.proxy, fault=fault)
    finally:
        with hands.called(switch_call(breakage.proxy, enabled=True), fault=fault):
            hands.open(breakage.proxy, fault=fault)
    send_end(breakage, fault, hands)


def make_anew(breakage: Breakage, fault: str, hands: Hands) -> None:
    """Delete the proxy and create it as it was, with the toxics of the other faults on it."""
    name = breakage.proxy
    mine = breakage.toxic.name if breakage.toxic is not None else None
    others = [toxic for toxic in hands.api.toxics(name) if toxic["name"] != mine]
    with hands.called(Call("DELETE", f"/proxies/{name}"), fault=fault):
        hands.api.recreate(name)
    for other in others:
        hands.api.add_toxic(name, **as_members(other))
    hands.switches.forget(name, by=fault)
    if hands.switches.is_shut(name):
        hands.api.disable(name)


def as_members(toxic: Mapping[str, Any]) -> ToxicMembers:
    """Return a toxic as the server describes it in the words that create it."""
    return {
        "name": toxic["name"],
        "type": toxic["type"],
        "stream": toxic["stream"],
        "toxicity": toxic["toxicity"],
        "attributes": toxic["attributes"],
    }


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
