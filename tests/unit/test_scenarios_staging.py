"""Meetings and doubled steps by plan, and the manners of retries."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache

import pytest

from doorbuster.errors import PlanError
from doorbuster.plan import load_plan
from scenarios.manners import POLITE, STORMING, STUBBORN, Manners, asked_to_wait_s
from scenarios.outcome import Answer, NoAnswer
from scenarios.personas import JOURNEYS
from scenarios.session import Hours, Session
from scenarios.shopper import Shopper
from scenarios.staging import staging_of
from tests.scenarios_fakes import PLAN, FakeClock, FakeWire, Notebook, plan_of, surroundings
from tests.unit.test_scenarios_personas import Shop

OPENS_S = 2.0


def staged(keys, persona="patient", *, due_s=2.5, seed=1):
    """Visit the shop under a plan with `keys` in its traffic; return the steps."""
    plan = plan_with(keys)
    clock, notebook = FakeClock(due_s), Notebook()
    wire = FakeWire(clock, Shop(clock, opens_s=OPENS_S))
    around = surroundings(clock, notebook)
    around = replace(around, staging=replace(around.staging, **staging(plan)))
    shopper = Shopper(5, due_s, persona, "HOT", random.Random(seed))
    JOURNEYS[persona](Session(shopper, wire, around, run_id="run", hours=Hours(OPENS_S)))
    return [step for step, _ in notebook.results]


@cache
def plan_with(keys):
    return plan_of(PLAN.replace("  warmup:", f"  {keys}\n  warmup:")).plan


def staging(plan):
    found = staging_of(plan, beside=None)
    return {"meetings": found.meetings, "doubled": found.doubled}


def due_of(steps, op):
    return [step.due_s for step in steps if step.op == op]


@pytest.mark.parametrize("seed", range(5))
def test_all_who_reach_a_step_before_the_instant_take_it_then(seed):
    keys = "rendezvous: [{step: pay, at: rush+1900ms, gather: 30s}]"
    assert due_of(staged(keys, due_s=-10.0, seed=seed), "pay") == []  # too early to buy at all
    reached = due_of(staged("", due_s=2.0, seed=seed), "pay")
    assert due_of(staged(keys, due_s=2.0, seed=seed), "pay") == [max(3.9, reached[0])]


def test_who_reaches_it_before_the_gathering_or_after_goes_on():
    keys = "rendezvous: [{step: view, at: rush, gather: 1s}]"
    for due_s, expected in ((0.5, 0.5), (1.0, 2.0), (1.9, 2.0), (2.0, 2.0), (3.0, 3.0)):
        assert due_of(staged(keys, due_s=due_s), "view")[0] == expected


def test_a_meeting_can_be_for_some_personas_only():
    keys = "rendezvous: [{step: view, at: rush, personas: [abandoner]}]"
    assert due_of(staged(keys, due_s=1.5), "view")[0] == 1.5
    assert due_of(staged(keys, "abandoner", due_s=1.5), "view")[0] == 2.0


@pytest.mark.parametrize(("key", "keys"), [("same", 1), ("new", 2)])
def test_a_doubled_step_is_sent_twice(key, keys):
    steps = staged(f"doubled: [{{step: reserve, apart: 100ms, key: {key}}}]")
    first, second = (step for step in steps if step.op == "reserve")
    assert second.due_s - first.due_s == pytest.approx(0.1)
    assert len({first.key, second.key}) == keys
    assert len({first.client_ref, second.client_ref}) == keys
    assert first.id != second.id
    assert [step.op for step in steps] == ["view", "reserve", "reserve", "pay"]
    assert steps[-1].client_ref == first.client_ref


def test_a_payment_doubled_under_a_new_key_is_for_the_same_order():
    steps = staged("doubled: [{step: pay, key: new}]")
    first, second = (step for step in steps if step.op == "pay")
    assert first.key != second.key
    assert (first.order_id, first.client_ref) == (second.order_id, second.client_ref)


def test_a_share_doubles():
    doubled = sum(
        len(due_of(staged("doubled: [{step: view, share: 30%}]", seed=seed), "view")) == 2
        for seed in range(100)
    )
    assert 15 < doubled < 45


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("rendezvous: [{step: reserve, at: rash}]", "unknown phase 'rash'"),
        ("rendezvous: [{step: reserve, at: rush+9s}]", "a rendezvous is at 11 s, expected within"),
        ("rendezvous: [{step: reserve, at: rush, gather: 0s}]", "more than 0"),
        ("rendezvous: [{step: refund, at: rush}]", "expected .session"),
        ("rendezvous: [{step: pay, at: rush, personas: [robot]}]", "expected .patient"),
        ("doubled: [{step: pay, share: 0%}]", "more than 0"),
        ("doubled: [{step: pay, key: other}]", "'same' or 'new'"),
    ],
)
def test_what_makes_no_sense_is_refused(keys, message):
    with pytest.raises(PlanError, match=message):
        load_plan(PLAN.replace("  warmup:", f"  {keys}\n  warmup:"), source="plan", environ={})


def test_waits_double_up_to_the_cap_with_full_jitter():
    jitter = random.Random(1)
    for failures, ceiling_s in enumerate([0.1, 0.2, 0.4, 0.8, 1.0, 1.0], start=1):
        waits = [POLITE.wait_s(failures, jitter) for _ in range(300)]
        assert 0 <= min(waits) < 0.1 * ceiling_s
        assert 0.9 * ceiling_s < max(waits) <= ceiling_s
    assert Manners().wait_s(5000, jitter) <= 1.0


def test_a_storm_keeps_its_beat_and_only_the_polite_wait_as_asked():
    jitter = random.Random(1)
    assert {STORMING.wait_s(n, jitter, asked_s=9) for n in range(1, 9)} == {1.0}
    assert STUBBORN.wait_s(1, jitter, asked_s=9) < 1
    assert 9 <= POLITE.wait_s(1, jitter, asked_s=9) < 10


def answer(*headers):
    return Answer(503, b"", 0.0, 0.0, [(name.encode(), value.encode()) for name, value in headers])


@pytest.mark.parametrize("value", ["-1", "1.5", "soon", "", "9" * 30, "Wed, 99 Foo 2026"])
def test_what_cannot_be_read_asks_for_nothing(value):
    assert asked_to_wait_s(answer(("Retry-After", value))) is None


def test_retry_after_is_seconds_or_a_date():
    assert asked_to_wait_s(answer(("X", "1"), ("retry-after", " 7 "))) == 7
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 50 < asked_to_wait_s(answer(("Retry-After", later))) <= 100
    earlier = format_datetime(datetime.now(UTC) - timedelta(seconds=100), usegmt=True)
    assert asked_to_wait_s(answer(("Retry-After", earlier))) == 0
    assert asked_to_wait_s(answer()) is None
    assert asked_to_wait_s(NoAnswer("reset", 0.0, 0.0)) is None
