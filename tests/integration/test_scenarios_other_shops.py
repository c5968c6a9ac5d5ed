"""Shops quite unlike the reference one, driven through adapter files by the traffic process."""

from collections import Counter

import pytest

from doorbuster.operations import OperationEvent
from doorbuster.rundir import read_records
from tests.other_shops import ADAPTERS, other_shop, respond_forms, respond_graphql
from tests.scenarios_fakes import new_traffic_run, plan_of, traffic

pytestmark = pytest.mark.integration

PLAN = """
name: other-shop
sale:
  opens_at: rush
  items: [{sku: HOT, stock: 25, price: "99.00", demand: 100%}]
traffic:
  arrivals:
    - {phase: baseline, for: 1s, rate: 10/s}
    - {phase: rush, for: 2s, rate: 30/s}
  personas: {patient: 60, refresher: 20, sniper: 20}
  warmup: 500ms
  timeout: 5s
  patience: 6s
"""
STOCK = 25
SHOPS = {"forms": respond_forms, "graphql": respond_graphql}


@pytest.fixture(scope="module", params=SHOPS)
def rehearsed(request, tmp_path_factory):
    """A small sale in each shop: what it sold, and what its shoppers wrote down."""
    loaded = plan_of(PLAN)
    run = new_traffic_run(tmp_path_factory.mktemp(request.param), loaded)
    adapter = str(ADAPTERS / f"{request.param}.yaml")
    with (
        other_shop(SHOPS[request.param], stock=STOCK) as shop,
        traffic(run, loaded, shop.url, adapter=adapter) as (process, _),
    ):
        _, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (0, b"")
    events = [
        event
        for path in run.operations.glob("*.ndjson")
        for event in read_records(path, OperationEvent)
    ]
    return shop, run, events


def test_outcomes_are_what_the_shop_did(rehearsed):
    shop, _, events = rehearsed
    ended = Counter((e.op, e.type, e.reason) for e in events if e.type in ("ok", "fail", "info"))
    assert ended["reserve", "ok", None] == len(shop.orders) == STOCK
    assert ended["reserve", "fail", "sold_out"] > 5
    assert set(ended) == {
        ("reserve", "ok", None),
        ("reserve", "fail", "sold_out"),
        ("pay", "ok", None),
    }
    bought = {(e.order_id, e.client_ref) for e in events if (e.op, e.type) == ("reserve", "ok")}
    assert bought == {(order["order_id"], order["client_ref"]) for order in shop.orders}
    paid = {e.order_id for e in events if (e.op, e.type) == ("pay", "ok")}
    assert paid == {order["order_id"] for order in shop.orders if order["paid"]}
    assert len(paid) == STOCK


def test_every_request_is_marked_and_traced(rehearsed):
    shop, run, _ = rehearsed
    assert shop.marks == {run.run_id}
    assert all(shop.traces)
    assert len(set(shop.traces)) == len(shop.traces)


def test_money_is_read_where_it_stands(rehearsed):
    _, _, events = rehearsed
    amounts = {e.amount for e in events if e.type == "ok" and e.amount is not None}
    assert amounts == {9900}
