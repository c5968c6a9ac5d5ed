"""The fault of a payment provider that answers, but not as it should."""

from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from chaos.calls import Call
from chaos.hands import Acting, Hands, stuck
from chaos.probe import is_ended
from doorbuster.errors import DoorbusterError, said_by
from doorbuster.faults import Fault, Respond

PATH = "/psp/_sim"
NORMAL = Call("PUT", PATH, {"mode": "normal"})
ANSWER_BOUND_S = 5.0
THEIR_WORDS = {"calls": "on", "delay": "delay_s", "rate": "rate_rps"}
"""What the provider calls those of a plan's keys that it calls differently."""


def behaviour_of(kind: Respond, *, seed: int) -> dict[str, Any]:
    """Return the misbehaviour in the provider's words, for the same calls with each seed."""
    told: dict[str, Any] = {"mode": kind.mode, "seed": seed}
    for key in sorted(kind.model_fields_set - {"mode"}):
        value = getattr(kind, key)
        if value is not None:
            told[THEIR_WORDS.get(key, key)] = list(value) if key == "calls" else value
    return told


def respond_call(behaviours: Mapping[str, Mapping[str, Any]]) -> Call:
    """Return the call that makes the provider behave so: one setting alone, several as a list."""
    if not behaviours:
        return NORMAL
    first, *others = behaviours.values()
    return Call("PUT", PATH, [first, *others] if others else first)


@contextmanager
def responding(fault: Fault, kind: Respond, hands: Hands) -> Acting:
    """Make the provider answer as `kind` says, and as before at the end."""
    try:
        hands.behaviours[fault.name] = behaviour_of(kind, seed=hands.seed)
        tell(fault, hands)
        yield None
    finally:
        hands.behaviours.pop(fault.name, None)
        # A provider that another fault has killed forgot what it was told.
        if not is_ended(hands.topology.components["provider"]):
            lift(fault, hands)


def lift(fault: Fault, hands: Hands) -> None:
    """Take the behaviour back; a provider that does not listen is restarted, and forgets it."""
    provider = hands.topology.components["provider"]
    try:
        tell(fault, hands)
    except DoorbusterError as error:
        hands.step("escalated", fault=fault.name, way="provider restarted", why=str(error))
        try:
            with hands.called(Call("restart", provider.name), fault=fault.name):
                provider.restart()
            tell(fault, hands)
        except DoorbusterError as last:
            by_hand = NORMAL.by_hand(hands.topology.provider_direct_url)
            raise stuck(fault.name, last, by_hand=by_hand) from last


def tell_again(fault: Fault, hands: Hands) -> None:
    """Tell a provider that was started again what other faults want of it, if any do."""
    if hands.behaviours:
        tell(fault, hands)


def tell(fault: Fault, hands: Hands) -> None:
    """Make the provider behave as all faults that are on want it, and see that it obeys."""
    call = respond_call(hands.behaviours)
    with (
        httpx.Client(
            base_url=hands.topology.provider_direct_url, timeout=ANSWER_BOUND_S, trust_env=False
        ) as http,
        hands.called(call, fault=fault.name),
    ):
        ask(http, call)
        told, said = modes_in(call.body), modes_in(ask(http, Call("GET", call.path)))
    if told != said:
        raise DoorbusterError(f"{call}: the provider says its mode is {' and '.join(said)!r}")


def modes_in(behaviours: Any) -> list[str]:
    each = behaviours if isinstance(behaviours, list) else [behaviours]
    return [str(behaviour.get("mode")) for behaviour in each]


def ask(http: httpx.Client, call: Call) -> Any:
    try:
        answer = http.request(call.method, call.path, json=call.body).raise_for_status()
    except httpx.HTTPError as error:
        raise DoorbusterError(f"{call.line}: {said_by(error)}") from error
    return answer.json() if answer.content else {}
