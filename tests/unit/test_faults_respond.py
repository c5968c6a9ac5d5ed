"""The provider's misbehaviours in the plan's words, and in the provider's own."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from chaos.calls import Call
from chaos.respond import PATH, THEIR_WORDS, behaviour_of, respond_call
from doorbuster.faults import Respond
from doorbuster.faults.provider import MODES, TAKES, ProviderCall
from target_app.provider.behaviour import SCOPES
from target_app.provider.behaviour import Call as TheirCall
from target_app.provider.behaviour import Mode as TheirMode

COMMON = {"mode", "share", "first", "seed", "on"}


def test_the_plan_has_a_word_for_each_of_the_providers() -> None:
    """Nobody may import the shop, so its words are written down twice."""
    modes = [mode for mode in TheirMode if mode is not TheirMode.NORMAL]
    assert set(MODES) == {mode.value for mode in modes}
    assert set(get_args(ProviderCall)) == {call.value for call in TheirCall}
    theirs = {mode.value: SCOPES[mode].takes - COMMON for mode in modes}
    assert theirs == {
        mode: {THEIR_WORDS.get(key, key) for key in TAKES.get(mode, ())} for mode in MODES
    }


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ({"mode": "slow"}, {"mode": "slow"}),
        ({"mode": "slow", "delay": "3s", "share": "30%"}, {"delay_s": 3.0, "share": 0.3}),
        ({"mode": "rate_limit", "rate": "5/s", "first": 2}, {"rate_rps": 5.0, "first": 2}),
        ({"mode": "soft_5xx", "effect": True, "status": 502}, {"effect": True, "status": 502}),
        ({"mode": "decline", "calls": ["charge"]}, {"on": ["charge"]}),
    ],
)
def test_only_what_the_plan_says_is_told(kind: dict[str, Any], told: dict[str, Any]) -> None:
    behaviour = behaviour_of(Respond.model_validate(kind), seed=7)
    assert behaviour == {"mode": kind["mode"], "seed": 7, **told}


def test_several_are_told_as_a_list_and_none_as_normal() -> None:
    one, two = {"mode": "slow"}, {"mode": "decline"}
    assert respond_call({"a": one, "b": two}) == Call("PUT", PATH, [one, two])
    assert respond_call({"a": one}) == Call("PUT", PATH, one)
    assert respond_call({}) == Call("PUT", PATH, {"mode": "normal"})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ({"mode": "timeout_before", "delay": "1s"}, "takes share, first, calls, not delay"),
        ({"mode": "slow", "code": "x"}, "slow takes share, first, calls, delay, sigma, not code"),
        ({"mode": "decline", "copies": 2}, "not copies"),
        ({"mode": "rude"}, "Input should be"),
        ({"mode": "webhook_duplicate", "copies": 1}, "greater than or equal to 2"),
        ({"mode": "slow", "first": 0}, "greater than or equal to 1"),
        ({"mode": "soft_5xx", "status": 200}, "Input should be 500, 502, 503 or 504"),
        ({"mode": "slow", "calls": []}, "at least 1 item"),
    ],
)
def test_a_key_that_its_mode_does_not_take_is_refused(kind: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Respond.model_validate(kind)
