"""Who meets which behaviour: counts, draws, combinations, rates."""

import random
from typing import Any

import msgspec
import pytest

from target_app.provider.announcing import Persistence
from target_app.provider.behaviour import SCOPES, Behaviour, Call, Mode, delay_for
from target_app.provider.conduct import Asked, Conduct
from target_app.provider.pacing import Allowance, Queue


def charge(n: int) -> Asked:
    return Asked(Call.CHARGE, f"k{n}")


def test_fate_depends_on_the_key_and_not_on_the_order() -> None:
    behaviour = Behaviour(mode=Mode.DECLINE, share=0.4, seed=7)
    keys = list(range(300))

    def met(order: list[int]) -> dict[int, bool]:
        conduct = Conduct([behaviour])
        return {n: conduct.take(charge(n), Mode.DECLINE) is not None for n in order}

    shuffled = random.Random(1).sample(keys, len(keys))
    assert met(keys) == met(shuffled)
    assert 90 < sum(met(keys).values()) < 150


def test_modes_do_not_fall_on_the_same_keys() -> None:
    conduct = Conduct([Behaviour(mode=mode, share=0.5) for mode in (Mode.DECLINE, Mode.SLOW)])
    both = [
        n
        for n in range(400)
        if (conduct.take(charge(n), Mode.DECLINE) is None)
        is (conduct.take(charge(n), Mode.SLOW) is None)
    ]
    assert 140 < len(both) < 260


def test_a_repetition_is_drawn_anew_and_always_the_same() -> None:
    def fates() -> list[bool]:
        conduct = Conduct([Behaviour(mode=Mode.TIMEOUT_BEFORE, share=0.5)])
        return [conduct.take(charge(1), Mode.TIMEOUT_BEFORE) is not None for _ in range(20)]

    assert fates() == fates()
    assert set(fates()) == {True, False}


def test_first_counts_only_whom_it_meets() -> None:
    conduct = Conduct([Behaviour(mode=Mode.DECLINE, first=2, share=0.5)])
    met = [n for n in range(100) if conduct.take(charge(n), Mode.DECLINE)]
    assert len(met) == 2
    assert conduct.take(Asked(Call.CAPTURE, "k"), Mode.DECLINE) is None


def test_who_asks_for_another_mode_uses_up_nothing() -> None:
    conduct = Conduct([Behaviour(mode=Mode.SLOW, first=1), Behaviour(mode=Mode.DECLINE, first=1)])
    assert conduct.take(charge(1), Mode.DECLINE) is not None
    assert conduct.take(charge(2), Mode.DECLINE) is None
    assert conduct.take(charge(2), Mode.SLOW) is not None


@pytest.mark.parametrize(
    ("on", "calls"),
    [
        (None, {Call.CHARGE, Call.CONFIRM, Call.CAPTURE}),
        ({Call.QUERY}, {Call.QUERY}),
        ({Call.CANCEL, Call.REFUND}, {Call.CANCEL, Call.REFUND}),
    ],
)
def test_which_calls_are_concerned(on: set[Call] | None, calls: set[Call]) -> None:
    chosen = None if on is None else frozenset(on)
    conduct = Conduct([Behaviour(mode=Mode.SLOW, on=chosen)])
    assert {call for call in Call if conduct.take(Asked(call, "k"), Mode.SLOW)} == calls


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"mode": "slow", "copies": 3}, "slow takes no copies"),
        ({"mode": "decline", "on": ["refund"]}, "decline affects charge, confirm, not refund"),
        ({"mode": "settlement_mismatch", "on": ["query"]}, "affects no call"),
        ({"mode": "webhook_duplicate", "copies": 1}, ">= 2"),
        ({"mode": "rate_limit", "rate_rps": -1}, ">= 0"),
        ({"mode": "soft_5xx", "status": 404}, "404"),
        ({"mode": "normal", "first": 0}, ">= 1"),
    ],
)
def test_what_a_mode_does_not_take_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(wrong, Behaviour)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.NORMAL])
def test_one_form_fits_all(mode: Mode) -> None:
    """A fault of a plan always says mode, share, first, delay and seed, set or not."""
    form = {"mode": mode, "share": None, "first": 3, "delay_s": 5.0, "seed": 7}
    behaviour = msgspec.json.decode(msgspec.json.encode(form), type=Behaviour)
    assert (behaviour.mode, behaviour.first, behaviour.on) == (mode, 3, None)


def test_every_mode_has_a_scope_and_shows_what_it_takes() -> None:
    assert set(SCOPES) == set(Mode)
    shown = Behaviour(mode=Mode.WEBHOOK_DUPLICATE, copies=3).shown()
    assert (shown["mode"], shown["copies"], shown["concurrent"]) == ("webhook_duplicate", 3, False)
    assert "rate_rps" not in shown


def test_a_lognormal_delay_has_its_median_and_its_tail() -> None:
    slow = Behaviour(mode=Mode.SLOW, delay_s=0.2, sigma=0.8)
    delays = sorted(delay_for(slow, key=f"k{n}") for n in range(1000))
    assert 0.17 < delays[500] < 0.23
    assert delays[990] > 0.8
    assert delay_for(slow, key="k1") == delay_for(slow, key="k1")
    assert delay_for(Behaviour(mode=Mode.SLOW, delay_s=0.2), key="k1") == 0.2


def test_an_allowance_refills_at_its_rate_and_holds_a_second() -> None:
    allowance = Allowance(2.0)
    assert [allowance.admits(0.0) for _ in range(3)] == [True, True, False]
    assert [allowance.admits(0.5) for _ in range(2)] == [True, False]
    assert [allowance.admits(100.0) for _ in range(3)] == [True, True, False]
    assert not Allowance(0.0).admits(100.0)
    slow = Allowance(0.5)
    assert [slow.admits(at_s) for at_s in (0.0, 1.0, 2.0)] == [True, False, True]


def test_a_queue_grows_up_to_what_is_bearable() -> None:
    queue = Queue(10.0, longest_s=0.25)
    waits = [queue.wait_s(0.0) for _ in range(5)]
    assert waits[:3] == pytest.approx([0.0, 0.1, 0.2])
    assert waits[3:] == [None, None]
    assert queue.wait_s(0.2) == pytest.approx(0.1)
    assert queue.wait_s(9.0) == 0.0
    assert Queue(0.0, longest_s=1.0).wait_s(0.0) is None


def test_a_rate_of_nothing_refuses_exactly_the_first() -> None:
    conduct = Conduct([Behaviour(mode=Mode.RATE_LIMIT, first=3)], clock=lambda: 0.0)
    assert [conduct.limited_s(charge(n)) for n in range(5)] == [None] * 3 + [0.0] * 2


def test_who_is_within_the_rate_uses_up_none_of_the_refusals() -> None:
    now_s = [0.0]
    conduct = Conduct(
        [Behaviour(mode=Mode.RATE_LIMIT, rate_rps=1, first=1)], clock=lambda: now_s[0]
    )
    assert conduct.limited_s(charge(0)) == 0.0
    now_s[0] = 1.0
    assert conduct.limited_s(charge(1)) == 0.0
    assert conduct.limited_s(charge(2)) is None
    assert conduct.limited_s(charge(3)) == 0.0


def test_an_event_meets_several_manners() -> None:
    conduct = Conduct(
        [
            Behaviour(mode=Mode.WEBHOOK_DELAY, delay_s=5),
            Behaviour(mode=Mode.WEBHOOK_DUPLICATE, copies=3, concurrent=True),
            Behaviour(mode=Mode.WEBHOOK_LOST, on=frozenset({Call.REFUND})),
        ]
    )
    manner = conduct.manner_of(Call.CHARGE, "evt_1")
    assert (manner.delay_s, manner.copies, manner.concurrent, manner.lost) == (5, 3, True, False)
    assert conduct.manner_of(Call.REFUND, "evt_2").lost


def test_pauses_double_up_to_a_bound() -> None:
    persistence = Persistence(first_pause_s=0.5, longest_pause_s=3.0)
    assert [persistence.pause_s(tried) for tried in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]
