"""Looks for faults that stand although nobody wants them to, before the first and after all."""

from collections.abc import Iterator

import httpx

from chaos.calls import Call
from chaos.hands import Hands
from chaos.probe import is_ended, is_in_stop
from chaos.respond import PATH, ask, modes_in


def standing(hands: Hands) -> list[str]:
    """Return one line for each thing of a fault that is still there.

    What a fault leaves on purpose is none of them: a primary that a failover ended, and its fence.
    """
    return [*on_proxies(hands), *on_processes(hands), *on_provider(hands)]


def on_proxies(hands: Hands) -> Iterator[str]:
    for proxy in sorted({name for names in hands.topology.proxies.values() for name in names}):
        for toxic in hands.api.toxics(proxy):
            yield f"toxic {toxic['name']} ({toxic['type']}) on {proxy}"
        if not hands.switches.is_shut(proxy) and not hands.listens(proxy):
            yield f"proxy {proxy} is shut"


def on_processes(hands: Hands) -> Iterator[str]:
    for name, component in hands.topology.components.items():
        stopped = [pid for pid in component.pids() if is_in_stop(pid)]
        if stopped:
            yield f"{name} is stopped (processes {', '.join(map(str, stopped))})"
        if hogs := component.hogs():
            yield f"a hog beside {name} (processes {', '.join(map(str, hogs))})"


def fallen(hands: Hands) -> list[str]:
    """Return one line for each component that has ended and that no fault has ended.

    Ask when all faults are lifted.
    """
    return [
        f"{name} ended by itself, by no fault of the plan; its last words are in {component.logs}"
        for name, component in hands.topology.components.items()
        if name not in hands.given_up and is_ended(component)
    ]


def on_provider(hands: Hands) -> Iterator[str]:
    provider = hands.topology.components.get("provider")
    if provider is None or is_ended(provider):
        return
    url = hands.topology.provider_direct_url
    with httpx.Client(base_url=url, timeout=5.0, trust_env=False) as http:
        for mode in modes_in(ask(http, Call("GET", PATH))):
            if mode != "normal":
                yield f"the provider's mode is {mode}"
