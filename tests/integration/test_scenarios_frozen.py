"""The proof against coordinated omission: a shop that freezes, seen from the due times and not.

Goal: what shoppers waited during a freeze is in the intended latency, and the report shows it
beside the service latency, where it is not. Method: the real traffic process against a shop that
stands still for 1.4 s. Clients give up after 250 ms and try again, so that the send of the attempt
that ended an operation always lies close to its answer.
"""

import threading
import time

import msgspec
import pytest

from reports.evidence import read_run
from reports.figures.buckets import phase_buckets
from reports.figures.counts import operation_figures
from reports.pages import tables
from reports.pages.phrases import seconds
from reports.summary import summarise
from tests.scenarios_fakes import FakeShop, new_traffic_run, plan_of, traffic

pytestmark = pytest.mark.integration

FREEZE_S = 1.4
TIMEOUT_S = 0.25
PLAN = f"""
name: frozen
sale:
  opens_at: rush
  items: [{{sku: HOT, stock: 10000, price: "99.00", demand: 100%}}]
traffic:
  arrivals:
    - {{phase: baseline, for: 1s, rate: 10/s}}
    - {{phase: rush, for: 4s, rate: 60/s}}
  warmup: 500ms
  personas: {{sniper: 1}}
  timeout: {TIMEOUT_S * 1000:.0f}ms
  patience: 8s
  max_lateness: 5s
"""


def test_freeze_is_in_intended_latency_and_not_in_service_latency(tmp_path):
    loaded = plan_of(PLAN)
    run = new_traffic_run(tmp_path, loaded)
    with FakeShop() as shop, traffic(run, loaded, shop.url) as (process, zero_s):
        freeze = threading.Timer(zero_s + 1.8 - time.monotonic(), shop.freeze, [FREEZE_S])
        freeze.start()
        _, stderr = process.communicate(timeout=60)
        freeze.join()
        assert (process.returncode, stderr) == (0, b"")

    run.plan.write_bytes(msgspec.json.encode({"schema": 1, "plan": loaded.resolved}))
    run.environment.write_bytes(b"{}")
    with read_run(run) as evidence:
        buckets = phase_buckets(evidence.plan)
        report = tables.figures(summarise(evidence))
        figures = {(f.bucket, f.op): f for f in operation_figures(evidence, buckets)}
    reserve = figures["rush", "reserve"]
    assert reserve.counts.ok == reserve.counts.due
    assert reserve.intended.p99_s > 0.8
    assert reserve.service.p99_s < reserve.intended.p99_s / 2
    assert reserve.service.p50_s <= reserve.intended.p50_s < reserve.intended.p99_s / 2
    rows = dict(report)["rush"]
    (shown,) = [row for row in rows if row[0] == "reserve"]
    assert seconds(reserve.intended.p99_s) in shown
    assert seconds(reserve.service.p99_s) in shown
