"""The fault of a payment provider that answers, but not as it should."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from chaos.calls import Call
from chaos.hands import Hands, stuck
from chaos.probe import is_ended
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault, Respond

PATH = "/psp/_sim"
NORMAL = Call("PUT", PATH, {"mode": "normal"})
ANSWER_BOUND_S = 5.0


def respond_call(kind: Respond, *, seed: int) -> Call:
    """Return the call that makes the provider misbehave, for the same requests with each seed."""
    body = {
        "mode": kind.mode,
        "share": kind.share,
        "first": kind.first,
        "delay_s": kind.delay,
        "seed": seed,
    }
    return Call("PUT", PATH, body)


@contextmanager
def responding(fault: Fault, kind: Respond, hands: Hands) -> Iterator[None]:
    """Make the provider answer as `kind` says, and normally again at the end."""
    base_url = hands.topology.provider_direct_url
    with httpx.Client(base_url=base_url, timeout=ANSWER_BOUND_S, trust_env=False) as http:
        try:
            tell(http, respond_call(kind, seed=hands.seed), fault, hands)
            yield
        finally:
            # A provider that another fault has killed forgot what it was told.
            if not is_ended(hands.topology.components["provider"]):
                lift(http, fault, hands)


def lift(http: httpx.Client, fault: Fault, hands: Hands) -> None:
    try:
        tell(http, NORMAL, fault, hands)
    except DoorbusterError as error:
        by_hand = NORMAL.by_hand(hands.topology.provider_direct_url)
        raise stuck(fault.name, error, by_hand=by_hand) from error


def tell(http: httpx.Client, call: Call, fault: Fault, hands: Hands) -> None:
    """Make the call and see in the provider's own words that it obeys."""
    assert call.body is not None
    with hands.called(call, fault=fault.name):
        ask(http, call)
    mode = ask(http, Call("GET", call.path)).get("mode")
    if mode != call.body["mode"]:
        raise DoorbusterError(f"{call}: the provider says its mode is {mode!r}")


def ask(http: httpx.Client, call: Call) -> dict[str, Any]:
    try:
        answer = http.request(call.method, call.path, json=call.body).raise_for_status()
    except httpx.HTTPError as error:
        raise DoorbusterError(f"{call.line}: {error or type(error).__name__}") from error
    return dict(answer.json()) if answer.content else {}
