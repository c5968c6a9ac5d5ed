"""A line before the checkout, on a fake shop and clock: who stands in it, and how they get in."""

import random
from dataclasses import replace

import pytest

from doorbuster.errors import PlanError
from scenarios.adapter import parse_adapter
from scenarios.personas import JOURNEYS
from scenarios.session import Hours, Session
from scenarios.shopper import Shopper
from scenarios.shops import known_shop
from tests.scenarios_fakes import FakeClock, FakeWire, Notebook, surroundings

OPENS_S = 100.0


class ShopWithLine:
    """Admits whoever has asked `asks` times after T0; sells to the admitted only.

    Of those who are asked about at their turn it has lost the first `losses` places, and the
    first `voids` admissions are not good at the checkout.
    """

    def __init__(self, clock, *, asks=3, refusal=None, losses=0, voids=0):
        self.clock, self.asks, self.refusal = clock, asks, refusal
        self.losses, self.voids = losses, voids
        self.joined_s = None

    def __call__(self, method, path, body):
        if path == "/v1/queue/sale/tickets":
            assert body["sku"] == "HOT"
            self.joined_s = self.clock.at_s
            return 202, {"ticket_id": "t/1", "status": "waiting"}
        if path == "/v1/queue/tickets/t%2F1":
            return self.turn()
        if path == "/v1/checkouts":
            if self.voids:
                self.voids -= 1
                return 403, {"code": "admission_required"}
            return 201, {"order_id": "o1", "total": 9900, "status": "pending_payment"}
        return 200, {"order_id": "o1", "amount": 9900, "status": "paid"}

    def turn(self):
        if self.clock.at_s < OPENS_S or self.asks > 1:
            self.asks -= self.clock.at_s >= OPENS_S
            return 202, {"status": "waiting"}
        if self.losses:
            self.losses -= 1
            return 410, {"code": "position_expired"}
        return self.refusal or (200, {"admission_token": "token"})


def visit(persona, due_s, **shop):
    clock, notebook = FakeClock(due_s), Notebook()
    answering = ShopWithLine(clock, **shop)
    wire = FakeWire(clock, answering, 0.01)
    operations = known_shop(None, additions=["line"]).open("shop", "run")
    around = replace(surroundings(clock, notebook), operations=operations)
    shopper = Shopper(5, due_s, persona, "HOT", random.Random(1))
    JOURNEYS[persona](Session(shopper, wire, around, run_id="run", hours=Hours(OPENS_S)))
    return answering, [
        (step.op, result.outcome, result.reason) for step, result in notebook.results
    ]


@pytest.mark.parametrize(
    ("persona", "ends"),
    [("patient", ["reserve", "pay"]), ("sniper", ["reserve", "pay"]), ("abandoner", ["reserve"])],
)
def test_nobody_reserves_before_it_is_their_turn(persona, ends):
    _shop, results = visit(persona, OPENS_S + 5)
    assert [op for op, *_ in results if op != "view"] == ["queue", "turn", "turn", "turn", *ends]
    assert [reason for op, _outcome, reason in results if op == "turn"] == ["waiting"] * 2 + [None]


def test_who_comes_before_the_opening_is_in_the_draw():
    shop, results = visit("patient", OPENS_S - 4)
    assert shop.joined_s < OPENS_S
    assert results[-2:] == [("reserve", "ok", None), ("pay", "ok", None)]


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        ((409, {"code": "sold_out"}), "sold_out"),
        ((410, {"code": "campaign_ended"}), "ended"),
    ],
)
def test_who_is_refused_in_the_line_goes_home(refusal, reason):
    _shop, results = visit("patient", OPENS_S + 5, asks=1, refusal=refusal)
    assert results[-1] == ("turn", "fail", reason)


@pytest.mark.parametrize("persona", ["patient", "refresher", "sniper", "abandoner"])
def test_whose_place_is_lost_joins_again(persona):
    _shop, results = visit(persona, OPENS_S + 5, asks=2, losses=2)
    in_line = [(op, reason) for op, _outcome, reason in results if op in ("queue", "turn")]
    lost = [("turn", "lost_place"), ("queue", None)]
    assert in_line == [("queue", None), ("turn", "waiting"), *lost, *lost, ("turn", None)]
    assert ("reserve", "ok", None) in results


def test_whose_admission_is_not_good_stands_in_line_once_more():
    _shop, results = visit("patient", OPENS_S + 5, asks=1, voids=1)
    once = [("queue", None), ("turn", None)]
    bought = [("reserve", "not_admitted"), *once, ("reserve", None), ("pay", None)]
    assert [(op, reason) for op, _, reason in results] == [("view", None), *once, *bought]
    _shop, results = visit("patient", OPENS_S + 5, asks=1, voids=9)
    assert results[-1] == ("reserve", "fail", "not_admitted")


def test_whose_place_is_lost_again_and_again_goes_home():
    _shop, results = visit("patient", OPENS_S + 5, asks=1, losses=99)
    assert [op for op, *_ in results].count("queue") == 3
    assert results[-1] == ("turn", "fail", "lost_place")


def test_nobody_stands_in_a_line_for_ever():
    _shop, results = visit("patient", OPENS_S + 5, asks=1000)
    assert results[-1] == ("turn", "fail", "waiting")


def test_a_checkout_carries_the_admission_only_where_there_is_a_line():
    with_line, without = known_shop(None, additions=["line"]).adapter, known_shop(None).adapter
    assert set(with_line.operations) - set(without.operations) == {"queue", "turn"}
    assert with_line.operations["view"] == without.operations["view"]
    with_token = with_line.operations["reserve"].request.headers
    assert set(with_token) - set(without.operations["reserve"].request.headers) == {
        "Admission-Token"
    }


def test_a_line_needs_both_of_its_operations():
    text = """
      name: half
      operations:
        view: {request: {method: GET, path: /}, outcome: [{when: {status: 200}, then: ok}]}
        queue: {request: {method: POST, path: /q}, outcome: [{when: {status: 200}, then: ok}]}
        reserve:
          request: {method: POST, path: /r}
          outcome: [{when: {status: 200}, then: ok, extract: {order_id: $.id}}]
    """
    with pytest.raises(PlanError, match="`queue` and `turn` go together"):
        parse_adapter(text, source="half.yaml")
