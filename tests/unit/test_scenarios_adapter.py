"""Adapter files: what the reference shop's says, and how a wrong one is refused."""

import json
import re

import pytest
from msgspec.structs import replace

from doorbuster.errors import PlanError
from scenarios.adapter import load_adapter, parse_adapter
from scenarios.outcome import Extracted, NoAnswer
from scenarios.shop import speak
from scenarios.step import Step
from tests.scenarios_fakes import Script, replied

SHOP = speak(load_adapter(), host="shop:80", run_id="run")

STEP = Step(
    id="3-1",
    op="reserve",
    arrival=3,
    number=1,
    persona="patient",
    user_ref="user-3",
    due_s=1.0,
    sku="HOT 1/a",
    qty=2,
    client_ref="run-3-1",
    key="run-reserve-3-1",
    order_id="o-9",
)


def judged(op, status, body):
    return SHOP[op].perform(replace(STEP, op=op), Script(replied(status, body)))


def request_of(op, shop=SHOP):
    script = Script(replied(599))
    shop[op].perform(replace(STEP, op=op), script)
    return script.requests[0]


@pytest.mark.parametrize(
    ("op", "status", "body", "outcome", "reason", "retry"),
    [
        ("view", 200, b"", "ok", None, False),
        ("view", 500, b"", "info", "http_500", True),
        ("view", 503, {"code": "unavailable"}, "fail", "unavailable", True),
        ("view", 503, b"<html>", "info", "http_503", True),
        ("reserve", 409, {"code": "sold_out"}, "fail", "sold_out", False),
        ("reserve", 409, {"code": "key_in_flight"}, "info", "key_in_flight", True),
        ("reserve", 409, {"code": "other"}, "info", "http_409", True),
        ("reserve", 403, {"code": "not_started"}, "fail", "not_started", False),
        ("reserve", 410, {"code": "campaign_ended"}, "fail", "ended", False),
        ("reserve", 429, {"code": "shed"}, "fail", "shed", False),
        ("reserve", 429, {}, "info", "http_429", True),
        ("reserve", 503, {"code": "unavailable"}, "fail", "unavailable", True),
        ("reserve", 500, {"code": "unknown_outcome"}, "info", "http_500", True),
        ("reserve", 201, {"order_id": "o"}, "info", "unreadable", True),
        ("reserve", 201, b"{", "info", "unreadable", True),
        ("reserve", 201, {"order_id": "", "total": 1, "status": "s"}, "info", "unreadable", True),
        ("pay", 202, {"status": "payment_processing"}, "pending", None, False),
        ("pay", 409, {"code": "payment_in_progress"}, "pending", None, False),
        ("pay", 402, {"code": "card_declined"}, "fail", "declined", False),
        ("pay", 409, {"code": "order_expired"}, "fail", "expired", False),
        ("pay", 409, {"code": "order_cancelled"}, "fail", "expired", False),
        ("pay", 409, {"code": "order_refunded"}, "fail", "expired", False),
        ("pay", 404, {"code": "unknown_order"}, "fail", "unknown_order", False),
        ("cancel", 409, {"code": "order_expired"}, "fail", "expired", False),
    ],
)
def test_reference_shop_answers(op, status, body, *, outcome, reason, retry):
    found = judged(op, status, body)
    assert (found.outcome, found.reason, found.retry) == (outcome, reason, retry)


@pytest.mark.parametrize(
    ("op", "status", "body", "extracted"),
    [
        (
            "reserve",
            201,
            {"order_id": 17, "total": 9900, "status": "pending_payment"},
            Extracted(order_id="17", amount=9900, state="pending_payment"),
        ),
        (
            "stock",
            200,
            {"available": 0, "reserved": 3, "sold": 7},
            Extracted(available=0, reserved=3, sold=7),
        ),
        (
            "status",
            200,
            {"order_id": "o", "status": "paid", "total": "99.00"},
            Extracted(order_id="o", state="paid", amount=9900),
        ),
    ],
)
def test_answers_are_read_in_our_words(op, status, body, extracted):
    found = judged(op, status, body)
    assert (found.outcome, found.extracted) == ("ok", extracted)


def test_silence_is_judged_too():
    assert SHOP["reserve"].perform(STEP, Script(NoAnswer("eof", 1.0, 2.0))).outcome == "info"


def test_reserve_request_is_complete():
    head, _, body = request_of("reserve").partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /v1/checkouts HTTP/1.1"
    named = dict(header.split(": ", 1) for header in headers)
    assert re.fullmatch("00-[0-9a-f]{16}0000000300000001-[0-9a-f]{16}-01", named["traceparent"])
    del named["traceparent"]
    assert named == {
        "Host": "shop:80",
        "Accept": "application/json, */*;q=0.8",
        "Content-Type": "application/json",
        "X-Load-Test": "run",
        "Idempotency-Key": "run-reserve-3-1",
        "Content-Length": str(len(body)),
    }
    assert json.loads(body) == {
        "client_ref": "run-3-1",
        "customer": "user-3",
        "campaign_id": "sale",
        "channel": "web",
        "lines": [{"sku": "HOT 1/a", "qty": 2}],
    }


def test_path_values_are_escaped():
    assert request_of("view").startswith(b"GET /v1/products/HOT%201%2Fa HTTP/1.1\r\n")


def test_request_without_its_value_is_not_sent():
    step = Step("1", "pay", 1, 1, "patient", "u", 0.0, key="k")
    found = SHOP["pay"].perform(step, Script())
    assert (found.outcome, found.reason) == ("fail", "untold")


GOOD = """\
name: tiny
operations:
  view:
    request: {method: GET, path: "/p/{sku}"}
    outcome:
      - {when: {status: 200}, then: ok}
  stock:
    request: {method: GET, path: "/s/{sku}"}
    outcome:
      - {when: {status: 200}, then: ok, extract: {available: $.left}}
  reserve:
    request: {method: POST, path: /buy, json: {note: "{client_ref}"}}
    outcome:
      - {when: {status: [200, 201]}, then: ok, extract: {order_id: $.order.id}}
  pay:
    request: {method: POST, path: "/pay/{order_id}"}
    outcome:
      - {when: {status: 200}, then: ok}
  status:
    request: {method: GET, path: "/o/{order_id}"}
    outcome:
      - {when: {status: 200}, then: ok, extract: {state: $.state}}
"""


def test_small_adapter_is_enough():
    shop = speak(parse_adapter(GOOD, source="tiny.yaml"), host="h")
    script = Script(replied(201, {"order": {"id": "x"}}))
    assert shop["reserve"].perform(STEP, script).extracted.order_id == "x"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("then: ok}", "then: ok, xyz: 1}", "line 6: .*xyz: unknown key"),
        ("then: ok}", "then: fail}", "line 6: .*needs a `reason`"),
        ("{status: 200}, then: ok}", "{status: 503}, then: fail, reason: no}", "effect_free"),
        ("then: ok}", "then: pending}", "line 3: .*needs `poll`"),
        ("then: ok}", "then: ok, retry: true}", "neither `retry`"),
        ("then: ok}", "then: ok, reason: fine}", "takes no `reason`"),
        ("/p/{sku}", "/p/{SKU}", r"line 4: .*unknown placeholder \{SKU\}"),
        ("{client_ref}", "{ref}", r"line 12: .*unknown placeholder \{ref\}"),
        ("/p/{sku}", "p", "line 4: .*path"),
        ("/p/{sku}", "/p/{sku}?n={qty}", r"line 4: .*path = .*: a `view` may be without \{qty\}"),
        ("/p/{sku}", "/p/{client_ref}", r"line 4: operations.view.request.path = .*client_ref\?\}"),
        ("{client_ref}", "{order_id}", r"line 12: .*json.note = .*`reserve` .* \{order_id\}: exp"),
        ("/o/{order_id}", "/o/{order_id}/{key}", r"line 20: .*a `status` may be without \{key\}"),
        ("name: tiny", "name: tiny\nheaders: {X: '{key}'}", r"line 2: headers.X = .*`status`"),
        ("name: tiny", "name: tiny\nmark: {X: 'a{qty}'}", r"line 2: mark.X = .*without \{qty\}"),
        ("available: $.left", "sold: $.left", "`stock` has to extract `available`"),
        ("$.left", "left", "line 10: .*a text of the form"),
        ("  status:", "  states:", "line 19: operations.states"),
        ("name: tiny", "name: tiny\nname: tiny", 'line 2: found duplicate key "name"'),
        ("name: tiny", "name: [", "line 3: expected"),
    ],
)
def test_mistakes_are_refused_by_line(old, new, message):
    with pytest.raises(PlanError, match=message):
        parse_adapter(GOOD.replace(old, new, 1), source="tiny.yaml")


def test_what_a_step_may_be_without_is_null_or_empty_where_that_is_said():
    text = GOOD.replace("/p/{sku}", "/p/{sku}?n={qty?}&r={client_ref?}")
    text = text.replace('note: "{client_ref}"', 'note: "{order_id?}"')
    shop = speak(parse_adapter(text, source="tiny.yaml"), host="h")
    bare = Step("1", "view", 1, 1, "patient", "u", 0.0, sku="HOT", key="k")
    seen = Script(replied(200), replied(599))
    assert shop["view"].perform(bare, seen).outcome == "ok"
    shop["reserve"].perform(replace(STEP, order_id=None), seen)
    assert seen.requests[0].startswith(b"GET /p/HOT?n=&r= HTTP/1.1\r\n")
    assert seen.requests[1].endswith(b'\r\n\r\n{"note":null}')


def test_a_question_by_post_carries_no_key_and_is_sent_all_the_same():
    """As GraphQL asks; an order's state is asked for again and again while it is pending."""
    text = GOOD.replace('{method: GET, path: "/o/{order_id}"}', '{method: POST, path: "/o"}')
    text = text.replace("name: tiny", "name: tiny\nidempotency: {header: Idempotency-Key}")
    shop = speak(parse_adapter(text, source="tiny.yaml"), host="h")
    script = Script(replied(200, {"state": "paid"}), replied(599))
    assert shop["status"].perform(replace(STEP, key=None), script).outcome == "ok"
    shop["pay"].perform(STEP, script)
    assert b"Idempotency-Key" not in script.requests[0]
    assert b"Idempotency-Key: run-reserve-3-1" in script.requests[1]


def test_a_value_that_an_answer_told_before_may_be_sent_on():
    steps = """
    requests:
      - request: {method: POST, path: /orders}
        outcome:
          - {when: {status: 201}, then: next, extract: {order_id: $.id}}
      - request: {method: POST, path: "/orders/{order_id}/confirm"}
        outcome:
          - {when: {status: 200}, then: ok}
"""
    before, _, after = GOOD.partition("    request: {method: POST, path: /buy")
    shop = speak(
        parse_adapter(before.rstrip() + steps + after[after.index("  pay:") :], source="tiny.yaml"),
        host="h",
    )
    script = Script(replied(201, {"id": "x"}), replied(200))
    assert shop["reserve"].perform(replace(STEP, order_id=None), script).outcome == "ok"
    assert script.requests[1].startswith(b"POST /orders/x/confirm ")


def test_missing_file_is_a_mistake_of_the_plan(tmp_path):
    with pytest.raises(PlanError, match="expected an adapter file"):
        load_adapter(tmp_path / "none.yaml")
