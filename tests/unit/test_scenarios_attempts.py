"""Carrying a step out on a fake clock: retries under one key, patience, polling, ends."""

from dataclasses import replace

import pytest
from msgspec import structs

from doorbuster.budgets import parse_stop
from doorbuster.series import OperationSecond
from doorbuster.watch import is_met
from scenarios.adapter import parse_adapter
from scenarios.attempts import carry_out
from scenarios.counts import OperationCounts
from scenarios.shop import speak
from scenarios.step import Step
from tests.scenarios_fakes import FakeClock, FakeWire, Notebook, surroundings

DUE_S = 10.0
CREATED = (201, {"order_id": "o", "total": 9900, "status": "pending_payment"})
UNAVAILABLE = (503, {"code": "unavailable"})
SOLD_OUT = (409, {"code": "sold_out"})


def step(op):
    return Step(
        id="3-1",
        op=op,
        arrival=3,
        number=1,
        persona="patient",
        user_ref="user-3",
        due_s=DUE_S,
        sku="HOT",
        qty=1,
        client_ref="ref",
        key="key",
        order_id="o",
    )


def carried_out(op, answers, *, patience_s=8.0, takes_s=0.01):
    """Carry out one step against a script; its last entry is repeated."""
    clock, notebook = FakeClock(DUE_S), Notebook()
    script = iter(answers)
    last = [None]

    def answer(*_):
        last[0] = next(script, last[0])
        if isinstance(last[0], BaseException):
            raise last[0]
        return last[0]

    wire = FakeWire(clock, answer, takes_s)
    result = None
    try:
        result = carry_out(step(op), wire, surroundings(clock, notebook, patience_s=patience_s))
    except KeyboardInterrupt:
        result = notebook.results[-1][1]
    return result, wire, clock, notebook


@pytest.mark.parametrize(
    ("answers", "outcome", "reason", "tries"),
    [
        ([CREATED], "ok", None, 1),
        ([SOLD_OUT], "fail", "sold_out", 1),
        (["timeout", CREATED], "ok", None, 2),
        (["refused", CREATED], "ok", None, 2),
        ([UNAVAILABLE, SOLD_OUT], "fail", "sold_out", 2),
        (["reset", SOLD_OUT], "info", "reset", 2),
        ([(409, {"code": "key_in_flight"}), CREATED], "ok", None, 2),
    ],
)
def test_tries_again_only_where_that_can_help(answers, outcome, reason, tries):
    result, wire, _, _ = carried_out("reserve", answers)
    assert (result.outcome, result.reason, len(result.attempts)) == (outcome, reason, tries)
    assert wire.keys == ["key"] * tries


def test_gives_up_when_patience_is_over():
    result, wire, clock, _ = carried_out("reserve", ["refused"], patience_s=5.0)
    assert (result.outcome, result.reason) == ("fail", "refused_connection")
    assert result.ended_s <= DUE_S + 5.0 + 0.01
    assert all(attempt.sent_s is None for attempt in result.attempts)
    assert 5 < len(wire.asked) < 60
    waits = [b - a for a, b in zip([DUE_S, *clock.slept_until], clock.slept_until, strict=False)]
    assert max(waits) <= 1.01


def test_backoff_spreads_a_crowd_out():
    """Two sessions that failed at the same instant must not come back at the same instant."""
    clock = FakeClock(DUE_S)
    around = surroundings(clock, Notebook())
    seconds = []
    for _ in range(20):
        clock.at_s, clock.slept_until = DUE_S, []
        answers = iter(["refused", CREATED])
        carry_out(step("reserve"), FakeWire(clock, lambda *_, a=answers: next(a)), around)
        seconds.append(clock.slept_until[0])
    assert len(set(seconds)) == 20


def test_service_latency_is_from_the_last_send_and_intended_from_due():
    result, _, _, _ = carried_out("reserve", ["timeout", CREATED], takes_s=1.0)
    assert result.ended_s > DUE_S + 2.0
    assert result.service_from_s == pytest.approx(result.ended_s - 1.0)


def test_pending_payment_is_polled_to_its_end():
    processing = (200, {"order_id": "o", "status": "payment_processing", "total": 9900})
    paid = (200, {"order_id": "o", "status": "paid", "total": 9900})
    result, wire, _, notebook = carried_out("pay", [(202, {}), processing, paid])
    assert (result.outcome, result.extracted.amount) == ("ok", 9900)
    assert wire.asked == ["POST /v1/orders/o/payments", *["GET /v1/orders/o"] * 2]
    assert [(kind, s.op, s.id) for kind, s in notebook.lines] == [
        ("begun", "pay", "3-1"),
        ("invoke", "pay", "3-1"),
        ("answered", "pay", "3-1"),
        ("begun", "status", "3-1-1"),
        ("ok", "status", "3-1-1"),
        ("begun", "status", "3-1-2"),
        ("ok", "status", "3-1-2"),
        ("begun", "pay", "3-1"),
        ("ok", "pay", "3-1"),
    ]
    assert len(result.attempts) == 1
    assert result.service_from_s == DUE_S
    assert result.ended_s == pytest.approx(DUE_S + 2 * 0.5 + 3 * 0.01)


@pytest.mark.parametrize("state", ["expired", "cancelled", "refunded", "refund_pending"])
def test_payment_that_came_too_late_is_refused(state):
    late = (200, {"order_id": "o", "status": state, "total": 9900})
    result, _, _, _ = carried_out("pay", [(202, {}), late])
    assert (result.outcome, result.reason) == ("fail", "expired")


def test_payment_that_stays_pending_is_unknown():
    result, wire, _, _ = carried_out("pay", [(202, {}), UNAVAILABLE], patience_s=3.0)
    assert (result.outcome, result.reason) == ("info", "pending")
    assert wire.asked.count("POST /v1/orders/o/payments") == 1
    assert result.ended_s <= DUE_S + 3.0


def test_ended_in_the_middle_of_an_exchange_is_unknown():
    result, _, _, notebook = carried_out("reserve", [KeyboardInterrupt()])
    assert (result.outcome, result.reason) == ("info", "stopped")
    assert [kind for kind, _ in notebook.lines] == ["begun", "invoke", "info"]


def test_ended_in_a_later_attempt_is_unknown_whatever_the_first_was_told():
    result, wire, _, _ = carried_out("reserve", [UNAVAILABLE, KeyboardInterrupt()])
    assert (result.outcome, result.reason) == ("info", "stopped")
    assert [attempt.outcome for attempt in result.attempts] == ["fail", "info"]
    assert result.attempts[1].sent_s is not None
    assert len(wire.asked) == 2


def test_reads_are_not_invoked():
    _, _, _, notebook = carried_out("view", [(200, {})])
    assert [kind for kind, _ in notebook.lines] == ["begun", "ok"]


class Counting(Notebook):
    """A recorder that counts as the traffic process does, and is looked at while it goes on."""

    def __init__(self):
        super().__init__()
        self.counts = OperationCounts({"pay": 1.0, "status": 1.0})
        self.rows: list[OperationSecond] = []

    def begun(self, step):
        self.counts.begun(int(step.due_s), step.op)

    def answered(self, step):
        self.counts.answered(int(step.due_s), step.op)

    def completed(self, step, result):
        self.counts.count(int(step.due_s), step.op, result.outcome, 0.0)

    def is_met(self, condition):
        self.rows += self.counts.flush()
        return is_met(parse_stop(condition), self.rows, DUE_S + 4, settled_s=4)


PROCESSING = (200, {"order_id": "o", "status": "payment_processing", "total": 9900})
PAID = (200, {"order_id": "o", "status": "paid", "total": 9900, "amount": 9900})


@pytest.mark.parametrize(("first", "met"), [((202, {}), False), (UNAVAILABLE, True)])
def test_what_the_shop_calls_pending_is_no_error_before_its_end(first, met):
    """An operation that is tried in vain is one; method: look at each answer, and at the end."""
    clock, counting, looks = FakeClock(DUE_S), Counting(), []
    script = iter([first, PROCESSING, PROCESSING, PAID] if not met else [first] * 4 + [PAID])

    def answer(*_):
        looks.append(counting.is_met("errors(pay) > 60% for 1s"))
        return next(script)

    carry_out(step("pay"), FakeWire(clock, answer), surroundings(clock, counting))
    assert looks == [True, *[met] * (len(looks) - 1)], "sent and not answered yet is one, too"
    assert not counting.is_met("errors(pay) > 60% for 1s")
    pay = [row for row in counting.rows if row.op == "pay"]
    assert (sum(row.begun for row in pay), sum(row.due for row in pay)) == (1, 1)


SLOW = """
name: slow
operations:
  view:
    request: {method: GET, path: /p}
    outcome: [{when: {status: 200}, then: ok}]
  reserve:
    request: {method: POST, path: /buy, json: {note: "{client_ref}"}}
    outcome:
      - {when: {status: 202}, then: pending, extract: {order_id: $.id}}
      - {when: {status: 201}, then: ok, extract: {order_id: $.id}}
    poll: {ok: [reserved]}
  status:
    request: {method: GET, path: "/o/{order_id}"}
    outcome: [{when: {status: 200}, then: ok, extract: {state: $.state}}]
"""


def test_an_order_that_was_pending_keeps_the_number_it_was_given_then():
    """Its payment needs it, and a status answer need not tell what was asked with."""
    clock, notebook = FakeClock(DUE_S), Notebook()
    answers = iter([(202, {"id": "o7"}), (200, {"state": "reserved"})])
    around = surroundings(clock, notebook)
    around = replace(around, operations=speak(parse_adapter(SLOW, source="slow"), host="shop"))
    bare = structs.replace(step("reserve"), order_id=None)
    result = carry_out(bare, FakeWire(clock, lambda *_: next(answers)), around)
    assert (result.outcome, result.extracted.order_id) == ("ok", "o7")
