"""Shops as Python classes: what their methods ask and say, and how a wrong class is refused."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from doorbuster.errors import DoorbusterError, PlanError
from scenarios.outcome import Extracted, NoAnswer
from scenarios.shops import known_shop
from scenarios.step import Step
from tests.scenarios_fakes import Script, replied

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "signed_shop.py"
STEP = Step("3-1", "reserve", 3, 1, "patient", "u", 1.0, "HOT", 2, "run-3-1", "k", "o1")

FORMS = """\
from scenarios.python_shop import fail, ok, pending, unknown

class Forms:
    poll = {"pay": {"ok": ["paid"], "every": "100ms"}}
    mark = {"X-Synthetic": "{run_id}"}

    def view(self, step, ask):
        page = ask.get("/p", headers={"Accept": "text/html"})
        step.carried["csrf"] = page.find('value="(.*?)"')
        return ok() if page.cookie("sid") and page.header("x-shop") else unknown("no_session")

    def reserve(self, step, ask):
        ask.post("/cart", form={"csrf": step.carried["csrf"], "sku": [step.sku, "b c"]})
        page = ask.post("/order", json={"ref": step.client_ref})
        if page.location == "/sold-out":
            return fail("sold_out")
        return ok(order_id=page.json["id"], amount="9.90") if page.json else unknown(page)

    def status(self, step, ask):
        return ok(state="paid")

    def pay(self, step, ask):
        return pending() if step.method == "card" else 7
"""


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "forms.py"
    path.write_text(FORMS)
    return known_shop(f"{path}:Forms").open("shop:80", "r1")


def attempted(shop, *replies, op="reserve", **changes):
    script = Script(*replies)
    step = replace(STEP, op=op, **{"carried": {"csrf": "t"}} | changes)
    return shop[op].perform(step, script), script, step


@pytest.mark.parametrize(
    ("body", "outcome", "reason", "told"),
    [
        (
            {"result": "bought", "order": "o7", "total": "19.90"},
            "ok",
            None,
            Extracted(order_id="o7", amount=1990),
        ),
        ({"result": "gone"}, "fail", "sold_out", Extracted()),
        ({"result": "?"}, "info", "http_200", Extracted()),
        ("<html>", "info", "http_200", Extracted()),
    ],
)
def test_example_signs_what_it_sends(body, outcome, reason, told):
    shop = known_shop(f"{EXAMPLE}:SignedShop").open("shop:80", "r1")
    found, script, _ = attempted(shop, replied(200, body))
    assert (found.outcome, found.reason, found.extracted) == (outcome, reason, told)
    head, _, sent = script.requests[0].partition(b"\r\n\r\n")
    expected = hmac.new(b"only for rehearsals", sent, hashlib.sha256).hexdigest()
    assert f"X-Signature: {expected}".encode() in head
    assert b"\r\nX-Load-Test: r1\r\n" in head
    assert b"\r\ntraceparent: 00-" in head
    assert json.loads(sent)["note"] == "run-3-1"
    assert (shop["reserve"].repeatable, shop["view"].repeatable) == (True, False)


def test_pages_are_read_and_forms_sent(shop):
    page = replied(200, '<i value="t&1">', {"Set-Cookie": "sid=1; Path=/", "X-Shop": "y"})
    found, script, step = attempted(shop, page, op="view")
    assert (found.outcome, step.carried["csrf"]) == ("ok", "t&1")
    assert b"\r\nAccept: text/html\r\n" in script.requests[0]
    assert b"\r\nX-Synthetic: r1\r\n" in script.requests[0]
    found, script, _ = attempted(shop, replied(200), replied(201, {"id": 5}))
    assert (found.outcome, found.extracted) == ("ok", Extracted(order_id="5", amount=990))
    assert script.requests[0].endswith(b"\r\n\r\ncsrf=t&sku=HOT&sku=b+c")
    assert script.requests[1].endswith(b'\r\n\r\n{"ref":"run-3-1"}')
    found, _, _ = attempted(shop, replied(200), replied(302, "", {"Location": "/sold-out"}))
    assert (found.outcome, found.reason) == ("fail", "sold_out")


@pytest.mark.parametrize(
    ("replies", "outcome", "reason"),
    [
        ([NoAnswer("refused", None, 1.0)], "fail", "refused_connection"),
        ([NoAnswer("timeout", 1.0, 2.0)], "info", "timeout"),
        ([replied(200), NoAnswer("refused", None, 1.0)], "info", "refused_connection"),
    ],
)
def test_silence_is_judged_for_the_class(shop, replies, outcome, reason):
    found, _, _ = attempted(shop, *replies)
    assert (found.outcome, found.reason) == (outcome, reason)


def test_pending_is_polled_as_the_class_says(shop):
    found, _, _ = attempted(shop, op="pay")
    assert found.outcome == "pending"
    assert (shop["pay"].poll.ok, shop["pay"].poll.every) == (("paid",), 0.1)
    with pytest.raises(DoorbusterError, match=r"Forms\.pay returned 7: expected ok\(\), fail\(\)"):
        attempted(shop, op="pay", method="other")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class Forms", "class Form", r"no class 'Forms'"),
        ("def view", "def views", "no method view; expected view and reserve"),
        ("    poll", "    x = y\n    poll", r"line 4: NameError"),
        ("    poll", "   poll = (\n    poll", "line "),
        ("    poll", "    def __init__(self, x): pass\n    poll", "made without arguments"),
        ('"ok"', '"okay"', "poll: "),
    ],
)
def test_wrong_class_is_refused_with_its_place(tmp_path, old, new, message):
    path = tmp_path / "forms.py"
    path.write_text(FORMS.replace(old, new, 1))
    with pytest.raises(PlanError, match=message) as refused:
        known_shop(f"{path}:Forms")
    assert str(path) in str(refused.value)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(PlanError, match="no such file"):
        known_shop(f"{tmp_path}/none.py:Shop")
