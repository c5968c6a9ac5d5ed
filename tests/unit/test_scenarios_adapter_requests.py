"""Operations of several requests: what is carried on, and which answer decides what."""

import json

import pytest
from msgspec.structs import replace

from doorbuster.errors import PlanError
from scenarios.adapter import parse_adapter
from scenarios.outcome import NoAnswer
from scenarios.shop import speak
from scenarios.step import Step
from tests.scenarios_fakes import Script, replied

FORMS = """\
name: forms
headers: {Accept: text/html}
mark: {X-Rehearsal: "run {run_id}"}
operations:
  view:
    request: {method: GET, path: "/product/{sku}"}
    outcome:
      - when: {status: 200, text: '<h1>'}
        then: ok
        extract: {csrf: {text: 'name="csrf" value="([^"]+)"'}, visitor: {cookie: sid}}
  reserve:
    requests:
      - request: {method: GET, path: "/product/{sku}"}
        outcome:
          - when: {text: 'Sold out'}
            then: fail
            reason: sold_out
          - when: {status: 200}
            then: next
            extract: {csrf: {text: 'name="csrf" value="([^"]+)"'}}
      - request:
          method: POST
          path: /cart
          form: {csrf: "{csrf}", sku: "{sku}", qty: "{qty}", gift: false, tag: [a, "b c"]}
        outcome:
          - when: {status: 302, location: '^/cart'}
            then: next
            extract: {cart: {location: '/cart/(\\d+)'}}
      - request:
          method: POST
          path: "/cart/{cart}/order"
          form: {csrf: "{csrf}", note: "{client_ref}"}
        outcome:
          - when: {status: 302, location: '/thanks'}
            then: ok
            extract: {order_id: {location: 'order=([0-9]+)'}, thanks: {header: Location}}
          - when: {status: 302, location: '/sold-out'}
            then: fail
            reason: sold_out
          - when: {status: 200, text: 'one per customer'}
            then: fail
            reason: limit
  pay:
    request: {method: GET, path: "{thanks}"}
    outcome:
      - when: {header: {X-Paid: '^yes$'}}
        then: ok
"""

STEP = Step("3-1", "reserve", 3, 1, "patient", "u", 1.0, "a/b", 2, "run-3-1", "k", None)
PAGE = replied(200, '<input name="csrf" value="t&#43;1">', {"Content-Type": "text/html"})
CART = replied(302, "", {"Location": "/cart/77"})
THANKS = replied(302, "", {"Location": "/thanks?order=9"})


def shop_of(text=FORMS):
    return speak(parse_adapter(text, source="forms.yaml"), host="shop:80", run_id="r1")


def attempted(*replies, op="reserve", shop=None, **changes):
    script = Script(*replies)
    step = replace(STEP, op=op, carried={}, **changes)
    found = (shop or shop_of())[op].perform(step, script)
    return found, script, step


def body_of(request):
    return request.partition(b"\r\n\r\n")[2].decode()


def test_values_are_carried_from_page_to_cart_to_order():
    found, script, step = attempted(PAGE, CART, THANKS)
    assert (found.outcome, found.extracted.order_id) == ("ok", "9")
    page, cart, order = script.requests
    assert page.startswith(b"GET /product/a%2Fb HTTP/1.1\r\n")
    assert body_of(cart) == "csrf=t%2B1&sku=a%2Fb&qty=2&gift=false&tag=a&tag=b+c"
    assert b"Content-Type: application/x-www-form-urlencoded\r\n" in cart
    assert order.startswith(b"POST /cart/77/order ")
    assert body_of(order) == "csrf=t%2B1&note=run-3-1"
    assert step.carried == {"csrf": "t+1", "cart": "77", "thanks": "/thanks?order=9"}
    assert [judgement.outcome for judgement in script.judgements] == ["next", "next", "ok"]


def test_every_request_carries_the_mark_and_a_span_of_its_own():
    _, script, _ = attempted(PAGE, CART, THANKS)
    parents = set()
    for request in script.requests:
        lines = request.decode().split("\r\n")
        assert "X-Rehearsal: run r1" in lines
        assert "Accept: text/html" in lines
        assert sum(line.lower().startswith("accept:") for line in lines) == 1
        parents |= {line for line in lines if line.startswith("traceparent: 00-")}
    assert len(parents) == 3
    assert len({parent.split("-")[1] for parent in parents}) == 1


@pytest.mark.parametrize(
    ("replies", "outcome", "reason"),
    [
        ([replied(200, "Sold out")], "fail", "sold_out"),
        ([PAGE, CART, replied(302, "", {"Location": "/sold-out"})], "fail", "sold_out"),
        ([PAGE, CART, replied(200, "Sorry, one per customer.")], "fail", "limit"),
        ([PAGE, CART, replied(200, "Oops")], "info", "http_200"),
        ([PAGE, CART, replied(302, "", {"Location": "/login"})], "info", "http_302"),
        ([PAGE, CART, NoAnswer("timeout", 1.0, 2.0)], "info", "timeout"),
        # A question on the way whose answer is unknown has changed nothing.
        ([NoAnswer("timeout", 1.0, 2.0)], "fail", "timeout"),
        ([replied(500)], "fail", "http_500"),
        ([replied(200, "no token")], "fail", "unreadable"),
        # The cart was sent: not to know about it, or to lose the way after it, is unknown.
        ([PAGE, NoAnswer("reset", 1.0, 2.0)], "info", "reset"),
        ([PAGE, NoAnswer("refused", None, 2.0)], "fail", "refused_connection"),
        ([PAGE, CART, NoAnswer("refused", None, 2.0)], "info", "refused_connection"),
    ],
    ids=str,
)
def test_any_request_can_decide(replies, outcome, reason):
    found, script, _ = attempted(*replies)
    assert (found.outcome, found.reason) == (outcome, reason)
    assert not script.replies


def test_location_is_gone_to_only_on_the_shops_own_host():
    shop = shop_of()
    paid = replied(200, "", {"x-paid": "yes"})
    for location, path in [("/t?o=1", b"/t?o=1"), ("http://shop:80/t", b"/t")]:
        script = Script(paid)
        step = replace(STEP, op="pay", carried={"thanks": location})
        assert shop["pay"].perform(step, script).outcome == "ok"
        assert script.requests[0].split(b" ")[1] == path
    for location in ("http://elsewhere/t", "//elsewhere/t", "t", "/a b", "/\r\nX: y", None):
        step = replace(STEP, op="pay", carried={"thanks": location} if location else {})
        found = shop["pay"].perform(step, Script())
        assert (found.outcome, found.reason) == ("fail", "untold")


def test_cookie_and_text_are_taken_from_a_page():
    page = replied(200, '<h1><i name="csrf" value="x">', {"set-cookie": "sid=abc; Path=/"})
    found, _, step = attempted(page, op="view")
    assert (found.outcome, step.carried) == ("ok", {"csrf": "x", "visitor": "abc"})


GRAPHQL = """\
name: graph
idempotency: {field: clientMutationId}
operations:
  view:
    request:
      method: POST
      path: /graphql
      json:
        query: "query($sku: ID!) { product(sku: $sku) { name price { amount } } }"
        variables: {sku: "{sku}"}
    outcome:
      - {when: {json: {$.errors: null, $.data.product.name: [Boots, Shoes]}}, then: ok}
      - {when: {json: {"$.errors[0].extensions.code": NOT_FOUND}}, then: fail, reason: unknown_sku}
  reserve:
    request:
      method: POST
      path: /graphql
      json:
        query: "mutation($s: ID!, $n: Int!) { buy(sku: $s, n: $n) { ok, id } }"
        variables: {s: "{sku}", n: "{qty}", note: "for {client_ref} \\"x\\"", braces: "{{sku}}"}
    outcome:
      - {when: {json: {$.data.buy.ok: true}}, then: ok, extract: {order_id: $.data.buy.id}}
      - {when: {json: {$.data.buy.ok: false, $.data.buy.left: 0}}, then: fail, reason: sold_out}
"""


@pytest.mark.parametrize(
    ("op", "body", "outcome", "reason"),
    [
        ("view", {"data": {"product": {"name": "Boots"}}}, "ok", None),
        ("view", {"errors": None, "data": {"product": {"name": "Shoes"}}}, "ok", None),
        ("view", {"errors": [], "data": {"product": {"name": "Boots"}}}, "info", "http_200"),
        ("view", {"data": {"product": None}}, "info", "http_200"),
        ("view", {"errors": [{"extensions": {"code": "NOT_FOUND"}}]}, "fail", "unknown_sku"),
        ("view", {"errors": [7]}, "info", "http_200"),
        ("reserve", {"data": {"buy": {"ok": True, "id": 12}}}, "ok", None),
        ("reserve", {"data": {"buy": {"ok": 1, "id": 12}}}, "info", "http_200"),
        ("reserve", {"data": {"buy": {"ok": False, "left": 0}}}, "fail", "sold_out"),
        ("reserve", {"data": {"buy": {"ok": False, "left": False}}}, "info", "http_200"),
        ("reserve", {"data": {"buy": {"ok": True, "id": None}}}, "info", "unreadable"),
        ("reserve", "<html>", "info", "http_200"),
        ("reserve", [1], "info", "http_200"),
    ],
)
def test_graphql_is_judged_by_its_body(op, body, outcome, reason):
    found, _, _ = attempted(replied(200, body), op=op, shop=shop_of(GRAPHQL))
    assert (found.outcome, found.reason) == (outcome, reason)


def test_json_body_keeps_types_and_braces_and_carries_the_key():
    _, script, _ = attempted(replied(200), shop=shop_of(GRAPHQL), client_ref='r"\\')
    sent = json.loads(body_of(script.requests[0]))
    assert sent["clientMutationId"] == "k"
    assert sent["query"].endswith("{ buy(sku: $s, n: $n) { ok, id } }")
    assert sent["variables"] == {"s": "a/b", "n": 2, "note": 'for r"\\ "x"', "braces": "{sku}"}


@pytest.mark.parametrize(
    ("old", "new", "repeatable"),
    [
        ("", "", False),
        ("name: forms", "name: forms\nidempotency: none", False),
        ("name: forms", "name: forms\nidempotency: {header: X-Key}", True),
        ("name: forms", "name: forms\nidempotency: {field: token}", True),
        ('note: "{client_ref}"', 'note: "{key}"', True),
    ],
)
def test_only_a_request_with_its_key_may_be_repeated(old, new, repeatable):
    shop = shop_of(FORMS.replace(old, new, 1))
    assert shop["reserve"].repeatable is repeatable
    _, script, _ = attempted(PAGE, CART, THANKS, shop=shop)
    carrying = [b"X-Key: k" in r or b"token=k" in r or b"note=k" in r for r in script.requests]
    assert carrying == [False, False, repeatable]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("then: next", "then: ok", "no answer is `next`, so the one after"),
        ("then: fail\n            reason: limit", "then: next", "nothing comes after the last"),
        ("csrf: {text: 'name", "csrf: {text: '(name", "line 10: .*regular expression"),
        ("{cookie: sid}", "{cookie: sid, header: X}", "line 10: .*exactly one of json, header"),
        ("{cookie: sid}", "{text: a, match: b}", "leave out `match`"),
        ('"{thanks}"', '"{thank}"', r"line 44: .*unknown placeholder \{thank\}.*\{\{thank\}\}"),
        ('"{thanks}"', '"to/{thanks}"', "line 44: .*path = .*: expected a path such as /buy"),
        ("when: {header: {X-Paid: '^yes$'}}", "when: {}", "something else to know"),
        ("headers: {Accept", 'headers: {"A b"', "line 2: headers"),
        ('mark: {X-Rehearsal: "run {run_id}"}', "mark: {}", "line 3: mark"),
        ("then: ok\n        extract: {csrf", "then: ok\n        extracts: {csrf", "unknown key"),
        ("form: {csrf", "json: {}\n          form: {csrf", "one body"),
        ('/product/{sku}"}\n    outcome', '/product/{sku}", form: {a: b}}\n    outcome', "no body"),
        ("name: forms", "name: forms\nidempotency: {}", "either `header` or `field`"),
    ],
)
def test_mistakes_are_refused_by_line(old, new, message):
    assert old in FORMS
    with pytest.raises(PlanError, match=message):
        parse_adapter(FORMS.replace(old, new, 1), source="forms.yaml")
