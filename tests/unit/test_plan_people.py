"""Users of one's own: read beside the plan, one for each arrival, and handed to the adapter."""

import re
import textwrap
from pathlib import Path
from typing import Any, get_args

import pytest

from doorbuster.arrivals import arrivals
from doorbuster.cli.plans import find_plan
from doorbuster.errors import PlanError
from doorbuster.plan import Plan, load_plan
from doorbuster.plan.people import Persona
from doorbuster.plan.phases import Arrivals
from doorbuster.plan.reading import LoadedPlan
from doorbuster.plan.stepping import step_plan
from scenarios.adapter import parse_adapter
from scenarios.outcome import Judgement
from scenarios.personas import JOURNEYS
from scenarios.shop import speak
from scenarios.shopper import Shopper, shoppers
from scenarios.step import Step
from tests.scenarios_fakes import PLAN

NEEDED = 160


def plan_with(folder: Path, users: str, take: str = "cycle") -> LoadedPlan:
    (folder / "users.csv").write_text(users)
    text = f"{PLAN}  data: {{users: users.csv, take: {take}}}\n"
    return load_plan(text, source=str(folder / "plan.yaml"), environ={})


def rows(count: int) -> str:
    return "login,mail\n" + "".join(f"u{n},u{n}@shop.example\n" for n in range(count))


def people(plan: Plan) -> list[Shopper]:
    return [shoppers(plan)(arrival) for arrival in arrivals(plan.traffic, plan.seed)]


def test_the_kth_arrival_is_the_user_of_row_k(tmp_path: Path) -> None:
    found = people(plan_with(tmp_path, rows(7)).plan)
    assert len(found) == NEEDED
    assert [shopper.user_ref for shopper in found] == [f"u{k % 7}" for k in range(NEEDED)]
    assert found[3].user == {"login": "u3", "mail": "u3@shop.example"}


def test_the_plan_keeps_where_they_are_and_how_many_not_who(tmp_path: Path) -> None:
    resolved = plan_with(tmp_path, rows(7)).resolved
    path = str(tmp_path / "users.csv")
    assert resolved["traffic"]["data"] == {"users": path, "take": "cycle", "rows": 7}
    assert "u3@shop.example" not in str(resolved)
    assert len(people(Plan.model_validate(resolved))) == NEEDED


def test_once_needs_a_user_for_each_arrival(tmp_path: Path) -> None:
    assert plan_with(tmp_path, rows(NEEDED), "once").plan.traffic.data
    with pytest.raises(PlanError, match=r"159 users and 160 arrive, warm-up included: expected a"):
        plan_with(tmp_path, rows(NEEDED - 1), "once")


def test_a_capacity_step_goes_round(tmp_path: Path) -> None:
    plan = plan_with(tmp_path, rows(NEEDED), "once").plan
    step = step_plan(plan, 500.0, highest=500.0)
    assert step.traffic.data
    assert step.traffic.data.take == "cycle"
    assert people(step)[NEEDED].user_ref == "u0"


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ("", "users.csv line 1: '', expected the columns' names"),
        ("Login,mail\na,b\n", "users.csv line 1: 'Login,mail', expected the columns' names"),
        ("login,login\na,b\n", "none twice"),
        ("login,mail\n", "users.csv has no users: expected a row for each below the header"),
        ("login,mail\na,b\nc\n", "users.csv line 3: 1 cells, expected 2: login, mail"),
        ("login,mail\n ,b\n", "users.csv line 2: expected a login in the first column"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, users: str, message: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan_with(tmp_path, users)
    assert message in str(refused.value)


def test_a_file_that_is_not_there_and_a_count_of_ones_own_are_refused(tmp_path: Path) -> None:
    for data, message in (
        ("{users: nobody.csv}", "No such file"),
        ("{users: users.csv, rows: 5}", "`rows` is counted"),
        ("{users: users.csv, take: twice}", "'once' or 'cycle'"),
    ):
        (tmp_path / "users.csv").write_text(rows(3))
        with pytest.raises(PlanError, match=message):
            load_plan(f"{PLAN}  data: {data}\n", source=str(tmp_path / "p.yaml"), environ={})


MAIL = """
name: mine
operations:
  view:
    request: {method: GET, path: "/p/{sku}?as={user.login}"}
    outcome: [{when: {status: 200}, then: ok}]
  stock:
    request: {method: GET, path: "/s"}
    outcome: [{when: {status: 200}, then: ok, extract: {available: $.n}}]
  status:
    request: {method: GET, path: "/o"}
    outcome: [{when: {status: 200}, then: ok, extract: {state: $.n}}]
  reserve:
    request: {method: POST, path: "/r", json: {mail: "{user.mail}", from: "{channel}"}}
    outcome: [{when: {status: 200}, then: ok, extract: {order_id: $.n}}]
  pay:
    request: {method: POST, path: "/y"}
    outcome: [{when: {status: 200}, then: ok}]
"""


def step(op: str, user: dict[str, str]) -> Step:
    return Step("1", op, 1, 1, "patient", "u", 0.0, sku="HOT", channel="app", user=user)


def request(op: str, **user: str) -> Any:
    sent: list[bytes] = []
    shop = speak(parse_adapter(MAIL, source="mine"), host="h", run_id="run")
    shop[op].perform(step(op, user), Listener(sent))
    return sent[0]


class Listener:
    """Takes down what is asked, and answers nothing."""

    def __init__(self, sent: list[bytes]) -> None:
        self._sent = sent

    def ask(self, method: str, request: bytes, judge: Any) -> Judgement:
        self._sent.append(request)
        return Judgement("info", "nothing")


def test_an_adapter_fills_in_the_users_columns() -> None:
    assert request("view", login="a b/c").startswith(b"GET /p/HOT?as=a%20b%2Fc HTTP/1.1\r\n")
    assert request("reserve", mail="a@b").endswith(b'{"mail":"a@b","from":"app"}')


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(PlanError, match=r"{user.mail}: expected one of the users' .* \(login\)"):
        request("reserve", login="a")
    with pytest.raises(PlanError, match=r"none, since the plan has no traffic.data"):
        request("reserve")


def shopping_elsewhere(folder: Path, data: str) -> str:
    """Write down a plan whose adapter fills in `login` and `mail`, and return its name."""
    (folder / "mine.yaml").write_text(MAIL)
    (folder / "users.csv").write_text("login,card\nu0,1\n")
    plan = PLAN.replace(
        "sale:",
        'stack: external\nshop: mine.yaml\ntarget: {base_url: "http://127.0.0.1:9"}\nsale:',
        1,
    )
    (folder / "plan.yaml").write_text(f"{plan}{data}")
    return str(folder / "plan.yaml")


def test_a_column_that_the_users_lack_is_refused_with_its_place_before_anything_starts(
    tmp_path: Path,
) -> None:
    with pytest.raises(PlanError) as refused:
        find_plan(shopping_elsewhere(tmp_path, "  data: {users: users.csv}\n"))
    (said,) = str(refused.value).splitlines()
    assert said.startswith(f"{tmp_path / 'mine.yaml'}: line 14: operations.reserve.request.json")
    assert said.endswith("{user.mail}: expected one of the users' columns (login, card)")


def test_columns_are_refused_where_a_plan_has_no_users(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as refused:
        find_plan(shopping_elsewhere(tmp_path, ""))
    login, mail = str(refused.value).splitlines()
    assert "{user.login}" in login
    assert mail.endswith("(none, since the plan has no traffic.data)")


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), ("no PEM", "in PEM")])
def test_certificates_that_cannot_be_read_are_refused(
    tmp_path: Path, content: str | None, why: str
) -> None:
    """They are beside the plan, whatever the working folder is."""
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    (tmp_path / "plan.yaml").write_text(f"{PLAN}  ca_file: ca.pem\n")
    with pytest.raises(PlanError, match=why) as refused:
        find_plan(str(tmp_path / "plan.yaml"))
    assert str(tmp_path / "ca.pem") in str(refused.value)


DOCS = (Path(__file__).parents[2] / "docs" / "traffic.md").read_text(encoding="utf-8")


def test_the_example_of_the_documentation_is_a_plan() -> None:
    example = DOCS[DOCS.index("    traffic:\n") : DOCS.index("\n| key of a phase")]
    sale = PLAN[: PLAN.index("traffic:")]
    plan = load_plan(sale + textwrap.dedent(example), source="docs/traffic.md", environ={}).plan
    assert [phase.phase for phase in plan.traffic.arrivals] == [
        "baseline",
        "preheat",
        "rush",
        "stairs",
        "push",
        "show",
    ]
    assert plan.traffic.rendezvous
    assert plan.traffic.doubled


@pytest.mark.parametrize("persona", JOURNEYS)
def test_every_persona_is_documented_and_can_be_planned(persona: str) -> None:
    assert re.search(rf"^\| `{persona}` \|", DOCS, re.MULTILINE)
    assert persona in get_args(Persona)
    assert set(get_args(Persona)) == set(JOURNEYS)


@pytest.mark.parametrize("key", sorted(set(Arrivals.model_fields) - {"phase", "lasts", "growth"}))
def test_every_shape_is_documented(key: str) -> None:
    assert re.search(rf"^\| `{key}: ", DOCS, re.MULTILINE)
