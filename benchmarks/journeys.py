"""Real journeys through the adapter, by the traffic process as a rehearsal starts it."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.lateness import lateness
from doorbuster.plan import load_plan
from doorbuster.rundir import new_run, read_records
from doorbuster.series import GeneratorSecond, OperationSecond
from scenarios.order import StartSignal, TrafficOrder

ROOT = Path(__file__).resolve().parent.parent
LENGTH_S = 5
PLAN = f"""
name: bench
sale:
  opens_at: all
  items: [{{sku: HOT, stock: 10, price: "99.00", demand: 100%}}]
traffic:
  arrivals: [{{phase: all, for: {LENGTH_S}s, rate: 150/s}}]
  warmup: 1s
  personas: {{sniper: 1}}
"""


def journey(url: str, core: int, folder: Path) -> dict[str, Any]:
    """Let shoppers who do not think look and buy, each on a connection of their own."""
    loaded = load_plan(PLAN, source="bench", environ={})
    run = new_run(folder, loaded.plan.name)
    order = TrafficOrder(
        run_id=run.run_id, run_dir=str(run.path), plan=loaded.resolved, base_url=url
    )
    command = ["taskset", "-c", str(core), sys.executable, "-m", "scenarios"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            process.stdin.flush()
            process.stdout.readline()
            start = StartSignal(time.monotonic() + loaded.plan.traffic.warmup + 0.1)
            process.stdin.write(msgspec.json.encode(start) + b"\n")
            process.stdin.flush()
            process.communicate(timeout=60)
        finally:
            process.kill()
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
