"""`validate --probe`: a good adapter fits, and each kind of mistake is found with its place."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from doorbuster.cli.main import run as doorbuster
from scenarios.adapter import parse_adapter, reference_text
from scenarios.outcome import Answer
from scenarios.probing import Findings, Probe
from tests.integration.running_shop import running_shop
from tests.integration.shop_database import postgres, shop_dsn
from tests.other_shops import ADAPTERS, other_shop, respond_forms, respond_graphql

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

PLAN = """
name: probed
shop: adapter.yaml
sale:
  opens_at: rush
  items: [{sku: HOT, stock: 10, price: "99.00", demand: 100%}]
traffic:
  arrivals: [{phase: baseline, for: 1s, rate: 1/s}, {phase: rush, for: 1s, rate: 1/s}]
"""


class BridgedWire:
    """Asks a shop of another thread's event loop, which no socket leads to."""

    def __init__(self, client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def exchange(self, request: bytes) -> Answer:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        asked = self._client.request(method, path, headers=headers, content=body)
        answer = asyncio.run_coroutine_threadsafe(asked, self._loop).result(30)
        return Answer(answer.status_code, answer.content, 0.0, 1.0, tuple(answer.headers.raw))


def probed(text: str, dsn: str, folder: Path) -> Findings:
    """Probe the reference shop with the adapter in `text`."""

    async def scenario() -> Findings:
        async with running_shop(dsn, folder) as shop:
            await shop.sale(stock=10)
            wire = BridgedWire(shop.client, asyncio.get_running_loop())
            adapter = parse_adapter(text, source="adapter.yaml")
            probe = Probe(adapter, wire, host="shop", run_id=folder.name)
            return await asyncio.to_thread(probe.run, "HOT")

    return asyncio.run(scenario())


def test_the_reference_shop_fits_its_adapter(shop_dsn: str, tmp_path: Path) -> None:
    found = probed(reference_text(), shop_dsn, tmp_path)
    assert found.mistakes == [], found.said
    for op in ("view", "stock", "status", "reserve", "pay", "cancel"):
        seen_ok = ("operations", op, "outcome", 0) in found.seen
        assert seen_ok == (op != "cancel"), found.said  # what is paid cannot be cancelled
    assert ("operations", "view", "outcome", 1) in found.seen


class Listening:
    """A wire that keeps what it is asked; nothing is found there, but reserving works."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def exchange(self, request: bytes) -> Answer:
        self.asked.append(request.decode().partition("\r\n")[0])
        reserves = request.startswith(b"POST /buy")
        return Answer(201 if reserves else 404, b'{"id": "o1"}', 0.0, 1.0)


def test_a_probe_sends_what_a_run_would(tmp_path: Path) -> None:
    """What a step of the run is without, it must not have here: else the run would be the probe."""
    outcome = "outcome: [{when: {status: 201}, then: ok, extract: {order_id: $.id, state: $.id}}]"
    values = "q={qty?}&r={client_ref?}&k={key?}&o={order_id?}"
    text = "name: all\noperations:\n" + "".join(
        f"  {op}:\n    request: {{method: {method}, path: '{path}?{values}'}}\n    {outcome}\n"
        for op, method, path in (
            ("view", "GET", "/p"),
            ("cart", "POST", "/cart"),
            ("reserve", "POST", "/buy"),
            ("status", "GET", "/o"),
        )
    )
    wire = Listening()
    Probe(parse_adapter(text, source="all.yaml"), wire, host="shop", run_id="run").run("HOT")
    said = dict(re.match(r"\S+ (\S+)\?(\S+) HTTP", line).groups() for line in wire.asked)  # type: ignore[union-attr]
    there = {path: re.findall(r"(\w)=[^&]", values) for path, values in said.items()}
    assert there == {"/p": ["k"], "/cart": ["q", "k"], "/buy": ["q", "r", "k"], "/o": ["r", "o"]}


BREAKS = [
    ("/v1/products/{sku}", "/v1/product/{sku}", "operations.view", "does its path exist"),
    ("order_id: $.order_id, amount: $.total, state", "order_id: $.id, amount: $.total, state",
     "operations.reserve.outcome.0.extract.order_id", "nothing fitting at json $.id"),
    ("{when: {status: 200}, then: ok, extract: {order_id: $.order_id, amount: $.amount",
     "{when: {status: 201}, then: ok, extract: {order_id: $.order_id, amount: $.amount",
     "operations.pay.outcome", "no rule is for the answer 200"),
    ("idempotency: {header: Idempotency-Key}", "idempotency: {header: X-Key}",
     "operations.reserve.outcome", "no rule is for the answer 400"),
    ("- {when: {status: 404}, then: fail, reason: unknown_sku}\n      - {when: {status: 429, "
     "code: shed}, then: fail, reason: shed}\n      - {when: {status: 503, code: unavailable}, "
     "then: fail, reason: unavailable, effect_free: true, retry: true}\n\n  stock:",
     "- {when: {status: 429}, then: fail, reason: shed}\n\n  stock:",
     "operations.view.outcome", "an item that is not there: 404"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "message"), BREAKS)
def test_a_broken_adapter_is_found(
    shop_dsn: str, tmp_path: Path, *, old: str, new: str, place: str, message: str
) -> None:
    text = reference_text()
    assert text.count(old) == 1
    found = probed(text.replace(old, new), shop_dsn, tmp_path)
    said = [(".".join(map(str, m.place)), m.message) for m in found.mistakes]
    assert any(where == place and message in what for where, what in said), (said, found.said)


def command(folder: Path, adapter: str, url: str) -> int:
    (folder / "plan.yaml").write_text(PLAN)
    (folder / "adapter.yaml").write_text(adapter)
    return doorbuster(["validate", str(folder / "plan.yaml"), "--probe", "--at", url])


@pytest.mark.parametrize(
    ("name", "respond"), [("forms", respond_forms), ("graphql", respond_graphql)]
)
def test_the_command_shows_both_sides(tmp_path, capsys, name, respond) -> None:
    with other_shop(respond) as shop:
        assert command(tmp_path, (ADAPTERS / f"{name}.yaml").read_text(), shop.url) == 0
    out = capsys.readouterr().out
    assert "every answer that came fits" in out
    assert re.search("> POST /\\w+ HTTP/1.1  ", out)
    assert re.search(r"not seen: .*adapter\.yaml: line \d+: operations\.reserve\..*sold_out", out)
    assert len(shop.orders) == 1
    assert shop.orders[0]["paid"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("/item/{sku}", "/items/{sku}", r"operations.view.outcome: no rule"),
        ('name="csrf" value', 'name="token" value', r"extract.csrf: nothing fitting at text"),
        ("location: ^/thanks", "location: ^/danke", r"outcome: .*302 to /thanks\?order="),
        ('order: "{order_id}"', 'order: "{sku}"', r"operations.pay.outcome: .*302 to /oops"),
    ],
)
def test_the_command_names_the_line_of_a_mistake(tmp_path, capsys, old, new, *, message) -> None:
    text = (ADAPTERS / "forms.yaml").read_text()
    assert old in text
    with other_shop(respond_forms) as shop:
        assert command(tmp_path, text.replace(old, new), shop.url) == 2
    assert re.search(rf"adapter\.yaml: line \d+: .*{message}", capsys.readouterr().err)


def test_a_shop_that_is_not_there_is_said(tmp_path, capsys) -> None:
    text = (ADAPTERS / "forms.yaml").read_text()
    assert command(tmp_path, text, "http://127.0.0.1:9") == 4
    assert "nobody listens" in capsys.readouterr().err
    assert command(tmp_path, text, "http://shop.example") == 2
    assert "allow_hosts" in capsys.readouterr().err
