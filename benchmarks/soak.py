"""Ten minutes of traffic at a low rate: does memory grow, do due times drift?

    .venv/bin/python -m benchmarks.soak [MINUTES] [RATE]

The traffic process as a rehearsal starts it, against the small server. Its memory is looked at
once a second; growth is the slope of a line through the second half, so that what is needed once
does not count. Drift is the difference of the median lateness between the first and the last
tenth. Figures go to standard output and to `benchmarks/results/soak.json`.
"""

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.lateness import lateness
from benchmarks.traffic import small_server
from benchmarks.traffic_process import traffic_process
from doorbuster.rundir import RunDirectory, read_records
from doorbuster.series import GeneratorSecond, OperationSecond

ROOT = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024
PLAN = """
name: soak
sale:
  opens_at: all
  items: [{{sku: HOT, stock: 10, price: "99.00", demand: 100%}}]
traffic:
  arrivals: [{{phase: all, for: {length_s}s, rate: {rate}/s}}]
  warmup: 3s
"""


class Memory:
    """A process's resident memory, once a second, until the process ends."""

    def __init__(self, pid: int) -> None:
        self.samples: list[tuple[float, float]] = []
        self._process = psutil.Process(pid)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while True:
            try:
                resident_mib = self._process.memory_info().rss / MIB
            except psutil.NoSuchProcess:
                return
            if resident_mib:
                self.samples.append((time.monotonic(), resident_mib))
            time.sleep(1.0)

    def growth_mib_per_h(self) -> float:
        """Return the slope of the least-squares line through the second half."""
        half = self.samples[len(self.samples) // 2 :]
        mean_t = sum(t for t, _ in half) / len(half)
        mean_m = sum(m for _, m in half) / len(half)
        above = sum((t - mean_t) * (m - mean_m) for t, m in half)
        return 3600 * above / sum((t - mean_t) ** 2 for t, _ in half)


def soak(url: str, folder: Path, *, length_s: int, rate: int) -> dict[str, Any]:
    plan = PLAN.format(length_s=length_s, rate=rate)
    with traffic_process(plan, url, folder) as (process, run):
        memory = Memory(process.pid)
    return {"length_s": length_s, "rate_per_s": rate, **_found(run, memory, length_s)}


def _found(run: RunDirectory, memory: Memory, length_s: int) -> dict[str, Any]:
    rows = list(read_records(run.series / "generator-0.ndjson", GeneratorSecond))
    operations = read_records(run.series / "operations-0.ndjson", OperationSecond)
    tenth = max(1, length_s // 10)
    first = lateness(run, since_s=0, before_s=tenth)["lateness_ms_p50"]
    last = lateness(run, since_s=length_s - tenth)["lateness_ms_p50"]
    resident = [mib for _, mib in memory.samples]
    return {
        "arrivals": sum(row.started for row in rows),
        "missed": sum(row.missed for row in rows),
        "operations": sum(row.due for row in operations),
        "in_flight_max": max(row.in_flight for row in rows),
        "memory_mib_first": round(resident[min(5, len(resident) - 1)], 1),
        "memory_mib_half": round(resident[len(resident) // 2], 1),
        "memory_mib_last": round(resident[-1], 1),
        "growth_mib_per_h": round(memory.growth_mib_per_h(), 2),
        "lateness_drift_ms": round(last - first, 3),
        **lateness(run, since_s=0),
    }


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    last_core = max(range(psutil.cpu_count() or 1))
    with (
        tempfile.TemporaryDirectory(prefix="doorbuster-soak-") as folder,
        small_server(last_core) as url,
    ):
        found = soak(url, Path(folder), length_s=round(minutes * 60), rate=rate)
    text = json.dumps(found, indent=2) + "\n"
    sys.stdout.write(text)
    results = ROOT / "benchmarks" / "results" / "soak.json"
    results.parent.mkdir(exist_ok=True)
    results.write_text(text)


if __name__ == "__main__":
    main()
