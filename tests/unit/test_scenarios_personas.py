"""Journeys on a fake shop and clock: what each persona does, and when it wants it."""

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest

from doorbuster.arrivals import Arrival
from scenarios.manners import POLITE
from scenarios.personas import JOURNEYS, MANNERS
from scenarios.session import Hours, Session
from scenarios.shopper import Shopper, shoppers
from scenarios.shops import known_shop
from tests.scenarios_fakes import PLAN, FakeClock, FakeWire, Notebook, plan_of, surroundings

OPENS_S = 100.0


class Shop:
    """Opens at T0 of the fake clock and sells `units`; `answer` may know better."""

    def __init__(self, clock, units=1000, opens_s=OPENS_S, answer=None):
        self.clock, self.units, self.opens_s, self.orders = clock, units, opens_s, 0
        self.answer, self.listen = answer, None

    def __call__(self, method, path, body):
        if self.listen:
            self.listen(self, path, body)
        told = self.answer(self, path) if self.answer else None
        return told or self.sell(path, body)

    def sell(self, path, body):
        if path.endswith("/stock"):
            return 200, {"available": self.units, "reserved": 0, "sold": self.orders}
        if path == "/v1/sessions":
            return 201, {"token": "t"}
        if path.startswith(("/v1/carts/", "/v1/pricing/")):
            return 200, {}
        if path == "/v1/checkouts":
            return self.reserve()
        if body.get("method") == "card_declined":
            return 402, {"code": "card_declined"}
        return 200, {"order_id": "o", "amount": 9900, "status": "paid"}

    def reserve(self):
        if self.clock.at_s < self.opens_s:
            return 403, {"code": "not_started"}
        if not self.units:
            return 409, {"code": "sold_out"}
        self.units -= 1
        self.orders += 1
        return 201, {"order_id": f"o{self.orders}", "total": 9900, "status": "pending_payment"}


def visit(persona, due_s, **options):
    return session_of(persona, due_s, **options).notebook.results


def session_of(
    persona,
    due_s,
    *,
    units=1000,
    closes_s=None,
    seed=1,
    shop_opens_s=OPENS_S,
    takes_s=0.01,
    answer=None,
    listen=None,
    without=(),
):
    clock, notebook = FakeClock(due_s), Notebook()
    shop = Shop(clock, units, shop_opens_s, answer)
    shop.listen = listen
    wire = FakeWire(clock, shop, takes_s)
    shopper = Shopper(5, due_s, persona, "HOT", random.Random(seed), channel="tv")
    around = replace(surroundings(clock, notebook), manners=MANNERS.get(persona, POLITE))
    kept = {op: spoken for op, spoken in around.operations.items() if op not in without}
    around = replace(around, operations=kept)
    session = Session(shopper, wire, around, run_id="run", hours=Hours(OPENS_S, closes_s))
    JOURNEYS[persona](session)
    session.leave()
    session.notebook = notebook
    return session


def ops(results):
    return [step.op for step, _ in results]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("persona", "expected"),
    [
        ("patient", ["view", "reserve", "pay"]),
        ("refresher", ["view", "reserve", "pay"]),
        ("sniper", ["reserve", "pay"]),
        ("abandoner", ["view", "reserve"]),
        ("member", ["session", "view", "quote", "reserve", "pay"]),
        ("retry_storm", ["view", "reserve", "pay"]),
        ("hoarder", ["reserve"] * 5),
        ("double_clicker", ["view", "reserve", "reserve", "pay", "pay"]),
    ],
)
def test_buys_while_the_sale_is_open(persona, expected, seed):
    results = visit(persona, OPENS_S + 5, seed=seed)
    assert ops(results) == expected
    assert all(result.outcome == "ok" for _, result in results)


@pytest.mark.parametrize("persona", list(JOURNEYS))
def test_who_comes_long_before_the_opening_only_looks(persona):
    results = visit(persona, OPENS_S - 60)
    assert set(ops(results)) <= {"session", "view", "stock"}
    assert results
    assert results[-1][1].ended_s < OPENS_S


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("persona", ["patient", "refresher", "abandoner"])
def test_who_comes_just_before_waits_at_the_door(persona, seed):
    results = visit(persona, OPENS_S - 3, seed=seed)
    reserve = next(step for step, _ in results if step.op == "reserve")
    assert OPENS_S < reserve.due_s < OPENS_S + 6


def test_snipers_post_around_the_opening_and_early_ones_again():
    firsts, refused = [], 0
    for seed in range(40):
        results = visit("sniper", OPENS_S - 2, seed=seed)
        firsts.append(results[0][0].due_s)
        refused += results[0][1].reason == "not_started"
        assert ops(results)[-1] == "pay"
        assert len({step.key for step, _ in results}) == len(results)
    assert 10 < refused < 30
    assert all(abs(first - OPENS_S) < 1 for first in firsts)


def test_patient_tries_again_when_the_shop_opens_late():
    results = visit("patient", OPENS_S - 2, shop_opens_s=OPENS_S + 3)
    reserves = [result.reason for step, result in results if step.op == "reserve"]
    assert reserves.count("not_started") >= 1
    assert ops(results)[-1] == "pay"


def test_patient_leaves_when_sold_out_and_refresher_looks_again():
    assert ops(visit("patient", OPENS_S + 1, units=0)) == ["view", "reserve"]
    assert ops(visit("refresher", OPENS_S + 1, units=0)) == ["view", "reserve", "stock", "stock"]


@pytest.mark.parametrize("persona", list(JOURNEYS))
def test_nobody_reserves_after_the_sale(persona):
    assert "reserve" not in ops(visit(persona, OPENS_S + 50, closes_s=OPENS_S + 40))


def test_a_decliner_is_refused_and_tries_another_card_or_leaves():
    ways = Counter()
    for seed in range(40):
        results = visit("decliner", OPENS_S + 5, seed=seed)
        pays = [(step, result) for step, result in results if step.op == "pay"]
        assert (pays[0][0].method, pays[0][1].reason) == ("card_declined", "declined")
        assert len({step.key for step, _ in pays}) == len(pays)
        ways[tuple(result.outcome for _, result in pays)] += 1
    assert set(ways) == {("fail",), ("fail", "ok")}
    assert ways["fail", "ok"] > ways["fail",]


def test_one_purchase_has_one_reference_and_each_operation_its_own_key():
    steps = [step for step, _ in visit("patient", OPENS_S + 1)]
    view, reserve, pay = steps
    assert reserve.client_ref == pay.client_ref == "run-5-1"
    assert pay.order_id == "o1"
    assert len({view.key, reserve.key, pay.key}) == 3
    assert {step.user_ref for step in steps} == {"user-5"}


def test_steps_are_due_after_the_one_before():
    results = visit("patient", OPENS_S + 1, takes_s=60)
    assert results[0][0].due_s == OPENS_S + 1
    for (_, before), (after, _) in itertools.pairwise(results):
        assert before.ended_s < after.due_s < before.ended_s + 10


def test_shoppers_follow_weights_and_demand():
    loaded = plan_of()
    found = [shoppers(loaded.plan)(Arrival(k, 0.0, "x")) for k in range(4000)]
    personas = Counter(shopper.persona for shopper in found)
    assert personas["patient"] / 4000 == pytest.approx(0.60, abs=0.04)
    assert personas["abandoner"] / 4000 == pytest.approx(0.05, abs=0.02)
    skus = Counter(shopper.sku for shopper in found)
    assert skus["HOT"] / 4000 == pytest.approx(0.80, abs=0.04)
    assert len(skus) == 6


def test_shopper_is_the_same_in_any_process():
    plan = plan_of().plan
    one, other = shoppers(plan), shoppers(plan)
    other(Arrival(3, 1.0, "x"))
    a, b = one(Arrival(7, 1.0, "x")), other(Arrival(7, 1.0, "x"))
    assert (a.persona, a.sku, a.choices.random()) == (b.persona, b.sku, b.choices.random())


def test_a_retry_storm_asks_at_one_beat_and_takes_no_account_of_being_asked_to_wait():
    busy = lambda _shop, _path: (429, {"code": "shed"}, {"Retry-After": "5"})  # noqa: E731
    results = visit("retry_storm", OPENS_S - 1, answer=busy)
    asked = [step.due_s for step, result in results if result.reason == "shed"][1:]
    assert asked[0] == OPENS_S
    gaps = [after - before for before, after in itertools.pairwise(asked)]
    assert len(asked) == 12
    assert gaps == pytest.approx([1.01] * 11)  # a second from the end of the one before


@pytest.mark.parametrize(("persona", "waits"), [("patient", True), ("sniper", False)])
def test_who_is_turned_away_comes_back_when_asked_to_or_when_it_likes(persona, waits):
    busy = lambda _shop, path: (  # noqa: E731
        (429, {"code": "shed"}, {"Retry-After": "5"}) if path == "/v1/checkouts" else None
    )
    results = visit(persona, OPENS_S + 1, answer=busy)
    asked = [step.due_s for step, _ in results if step.op == "reserve"]
    assert len(asked) == 3
    assert all((gap > 5) == waits for gap in (asked[1] - asked[0], asked[2] - asked[1]))


@pytest.mark.parametrize("seed", range(10))
def test_a_double_clicker_sends_the_same_or_two_purchases(seed):
    results = visit("double_clicker", OPENS_S + 5, seed=seed)
    first, second = (step for step, _ in results if step.op == "reserve")
    assert first.id != second.id
    assert 0 <= second.due_s - first.due_s <= 0.2
    assert (first.key == second.key) == (first.client_ref == second.client_ref)
    pays = [step for step, _ in results if step.op == "pay"]
    assert len({(step.key, step.order_id) for step in pays}) == 1


def test_double_clickers_do_both():
    keys = [
        len({step.key for step, _ in visit("double_clicker", OPENS_S + 5, seed=seed)[1:3]})
        for seed in range(40)
    ]
    assert 5 < keys.count(2) < 20


def test_a_scraper_only_reads():
    results = visit("scraper", OPENS_S + 1)
    assert set(ops(results)) == {"view", "stock"}
    assert len(results) >= 15


def test_hoarders_share_accounts_and_stop_when_there_is_no_more():
    assert ops(visit("hoarder", OPENS_S + 1, units=2)) == ["reserve"] * 3
    accounts = {Shopper(k, 0.0, "hoarder", "HOT", random.Random(1)).user_ref for k in range(99)}
    assert len(accounts) == 20


@pytest.mark.parametrize(
    ("persona", "due_s", "options", "stage", "lost"),
    [
        ("patient", OPENS_S + 1, {}, "paid", None),
        ("patient", OPENS_S - 60, {}, "viewed", "too_early"),
        ("patient", OPENS_S + 50, {"closes_s": OPENS_S + 40}, "viewed", "ended"),
        ("patient", OPENS_S + 1, {"units": 0}, "tried", "sold_out"),
        ("refresher", OPENS_S + 1, {"units": 0}, "tried", "sold_out"),
        ("abandoner", OPENS_S + 1, {}, "reserved", "abandoned"),
        ("hoarder", OPENS_S + 1, {}, "reserved", "abandoned"),
        ("hoarder", OPENS_S + 1, {"units": 2}, "reserved", "abandoned"),
        ("scraper", OPENS_S + 1, {}, "viewed", "looked"),
        ("sniper", OPENS_S + 1, {}, "paid", None),
    ],
)
def test_how_far_a_visit_came_and_why_no_further(persona, due_s, options, stage, lost):
    seen = session_of(persona, due_s, **options).visit
    assert (seen.stage, seen.lost) == (stage, lost)


def test_a_declined_card_and_errors_are_losses_of_their_own():
    lost = {session_of("decliner", OPENS_S + 1, seed=seed).visit.lost for seed in range(20)}
    assert lost == {None, "declined"}
    broken = lambda _shop, _path: (500, {}, {})  # noqa: E731
    seen = session_of("patient", OPENS_S + 1, answer=broken).visit
    assert (seen.stage, seen.lost) == ("tried", "errors")


def test_skewed_demand_follows_zipf():
    """Goal: the first of five alike is wanted 1/H(5) of the times, the n-th 1/n of that."""
    text = PLAN.replace("count: 5,", "count: 5, skew: 1,").replace("80%", "0%")
    text = text.replace("20%", "100%")
    choose = shoppers(plan_of(text).plan)
    found = Counter(choose(Arrival(k, 0.0, "x")).sku for k in range(4000))
    whole = sum(1 / n for n in range(1, 6))
    for n in range(1, 6):
        assert found[f"BASE-{n}"] / 4000 == pytest.approx(1 / n / whole, abs=0.03)


def test_channels_follow_their_weights():
    text = PLAN.replace("  warmup:", "  channels: {web: 3, app: 1, tv: 0}\n  warmup:")
    choose = shoppers(plan_of(text).plan)
    found = Counter(choose(Arrival(k, 0.0, "x")).channel for k in range(2000))
    assert set(found) == {"web", "app"}
    assert found["app"] / 2000 == pytest.approx(0.25, abs=0.04)


def test_retries_do_not_change_what_a_shopper_chooses():
    shopper = shoppers(plan_of().plan)(Arrival(7, 1.0, "x"))
    again = shoppers(plan_of().plan)(Arrival(7, 1.0, "x"))
    jitters = [again.jitter.random() for _ in range(5)]
    assert shopper.choices.random() == again.choices.random()
    assert [shopper.jitter.random() for _ in range(5)] == jitters


def test_newcomers_register_and_fill_a_cart_and_some_leave_it():
    ways = Counter(tuple(ops(visit("newcomer", OPENS_S + 1, seed=seed))) for seed in range(60))
    cart = ("view", "session", "cart", "quote")
    assert set(ways) == {cart, (*cart, "reserve", "pay")}
    assert 8 < ways[cart] < 30
    left = next(seed for seed in range(60) if len(visit("newcomer", OPENS_S + 1, seed=seed)) == 4)
    seen = session_of("newcomer", OPENS_S + 1, seed=left).visit
    assert (seen.stage, seen.lost) == ("carted", "left_cart")


def test_who_they_are_goes_with_their_requests():
    asked = []

    def listen(_shop, path, body):
        asked.append((path, body))

    buys = next(seed for seed in range(60) if len(visit("newcomer", OPENS_S + 1, seed=seed)) == 6)
    session_of("newcomer", OPENS_S + 1, seed=buys, listen=listen)
    told = dict(asked)
    assert told["/v1/sessions"] == {"customer": "user-5", "user_type": "new"}
    assert told["/v1/carts/visit-5/items"] == {"lines": [{"sku": "HOT", "qty": 1}]}
    assert told["/v1/checkouts"]["channel"] == "tv"


class ShopForMembers(Shop):
    """Knows whoever logs in as a gold member, and opens for those with a quote a lead earlier."""

    lead_s = 4.0

    def sell(self, path, body):
        if path == "/v1/sessions":
            return 201, {"token": "t", "tier": "gold"}
        if path == "/v1/pricing/quote":
            return 200, {"quote_id": f"q at {self.clock.at_s:.0f}"}
        if path == "/v1/checkouts" and self.clock.at_s < self.opens_s:
            if not body["quote_id"] or self.clock.at_s < self.opens_s - self.lead_s:
                return 403, {"code": "not_started"}
            return 201, {"order_id": "early", "total": 9900, "status": "pending_payment"}
        return super().sell(path, body)


def early_visit(persona, due_s, *, additions=("early",), early_s=None, seed=1):
    clock, notebook = FakeClock(due_s), Notebook()
    wire = FakeWire(clock, ShopForMembers(clock), 0.01)
    operations = known_shop(None, additions=additions).open("shop", "run")
    around = replace(surroundings(clock, notebook), operations=operations)
    shopper = Shopper(5, due_s, persona, "HOT", random.Random(seed))
    hours = Hours(OPENS_S, None, {"gold": 4.0} if early_s is None else early_s)
    JOURNEYS[persona](Session(shopper, wire, around, run_id="run", hours=hours))
    return notebook.results


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("additions", [("early",), ("line", "early")])
@pytest.mark.parametrize("arrives_s", [-8.9, -5.0])
def test_a_member_buys_as_early_as_their_tier_may(arrives_s, additions, seed):
    """Also where everybody else has to stand in a line."""
    results = early_visit("member", OPENS_S + arrives_s, additions=additions, seed=seed)
    bought = {step.op: step for step, result in results if result.outcome == "ok"}
    reserves = [result.reason for step, result in results if step.op == "reserve"]
    assert reserves == [None]
    assert OPENS_S - 4 <= bought["reserve"].due_s < OPENS_S
    assert bought["pay"].order_id == "early"


def test_who_has_no_early_access_waits_as_before():
    for persona, early_s in (("patient", {"gold": 4.0}), ("member", {"platinum": 4.0})):
        results = early_visit(persona, OPENS_S - 3, early_s=early_s)
        (reserve,) = [(step, result) for step, result in results if step.op == "reserve"]
        assert (reserve[0].due_s > OPENS_S, reserve[1].outcome) == (True, "ok")
    assert {step.op for step, _ in early_visit("member", OPENS_S - 20)} <= {
        *("session", "view", "stock")
    }


@pytest.mark.parametrize("persona", ["patient", "abandoner", "hoarder"])
def test_who_reserves_where_that_is_buying_has_paid(persona):
    bought = session_of(persona, OPENS_S + 5, without=["pay"]).visit
    assert (bought.stage, bought.lost) == ("paid", None)
    refused = session_of(persona, OPENS_S + 5, without=["pay"], units=0).visit
    assert (refused.stage, refused.lost) == ("tried", "sold_out")
