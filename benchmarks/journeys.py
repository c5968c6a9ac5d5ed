"""Real journeys through the adapter, by the traffic process as a rehearsal starts it."""

from pathlib import Path
from typing import Any

from benchmarks.lateness import lateness
from benchmarks.traffic_process import traffic_process
from doorbuster.rundir import read_records
from doorbuster.series import GeneratorSecond, OperationSecond

LENGTH_S = 5
PLAN = f"""
name: bench
sale:
  opens_at: all
  items: [{{sku: HOT, stock: 10, price: "99.00", demand: 100%}}]
traffic:
  arrivals: [{{phase: all, for: {LENGTH_S}s, rate: 300/s}}]
  warmup: 1s
  personas: {{sniper: 1}}
"""


def journey(url: str, core: int, folder: Path) -> dict[str, Any]:
    """Let shoppers who do not think look and buy, each on a connection of their own."""
    pinned = ("taskset", "-c", str(core))
    with traffic_process(PLAN, url, folder, before=pinned) as (_, run):
        pass  # it ends by itself
    seconds = range(1, LENGTH_S)
    rows = [
        row
        for row in read_records(run.series / "operations-0.ndjson", OperationSecond)
        if row.second in seconds
    ]
    load = {
        row.second: row.cpu_share
        for row in read_records(run.series / "generator-0.ndjson", GeneratorSecond)
        if row.second in seconds and row.cpu_share
    }
    ended = sum(row.ok for row in rows)
    return {
        "operations_per_s": ended / len(seconds),
        "operations_per_cpu_s": ended / sum(load.values()),
        "not_ok": sum(row.due - row.ok for row in rows),
        "cpu_share": sum(load.values()) / len(load),
        **lateness(run, since_s=1),
    }
