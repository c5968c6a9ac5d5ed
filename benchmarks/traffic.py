"""Load generators side by side: this project's, Locust's own two, k6, Vegeta, oha and wrk.

    .venv/bin/python -m benchmarks.traffic [SECONDS]

All ask the same small server, which has a core to itself; each generator has the other one, in
turn, several rounds in one run. `per CPU s` is what one core would do at the processor time that
a request took, which is the fairer figure where the machine has other work too; the rest of the
figures are ratios of one run, not promises. An open loop shows the round with the median p99, the
p99 of all rounds, and what share of the machine was stolen from it meanwhile.
k6, Vegeta and oha are used if they are on PATH, or named by DOORBUSTER_K6, DOORBUSTER_VEGETA and
DOORBUSTER_OHA, and are otherwise left out by name.
The results go to `benchmarks/results/traffic.json`.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import psutil

from benchmarks.journeys import journey
from benchmarks.other_generators import OTHERS, command_of, k6_open

ROOT = Path(__file__).resolve().parent.parent
RATES_PER_S = (2_000, 5_000, 10_000, 20_000)
OURS = ("session", "FastHttpUser", "HttpUser")
ROUNDS = 3
SECONDS = 4.0
BARS = {"FastHttpUser": 4.0, "k6": 2.0}


@contextmanager
def small_server(core: int) -> Iterator[str]:
    """A server process on one core; yields its URL."""
    command = [sys.executable, "-m", "benchmarks.small_server", str(core)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(10)


def generated(core: int, *words: str) -> dict[str, Any]:
    """Run one of the generators that are written in Python, on one core."""
    command = ["taskset", "-c", str(core), sys.executable, "-m", "benchmarks.generating", *words]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=120, text=True
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def closed_loops(url: str, core: int, for_s: float) -> dict[str, dict[str, float]]:
    """Return the medians of several rounds for every generator that this machine has."""
    rounds: dict[str, list[dict[str, float]]] = {}
    for _ in range(ROUNDS):
        for kind in OURS:
            figures = generated(core, kind, url, str(for_s), "0")
            rounds.setdefault(kind, []).append(figures)
        for name, measure in OTHERS.items():
            command = command_of(name)
            if command is not None:
                rounds.setdefault(name, []).append(measure(command, url, core, for_s))
    return {
        name: {key: statistics.median(one[key] for one in found) for key in found[0]}
        for name, found in rounds.items()
    }


def open_round(url: str, core: int, for_s: float, *, rate_per_s: int) -> dict[str, Any]:
    before = psutil.cpu_times()
    figures = generated(core, "open", url, str(for_s), str(rate_per_s))
    after = psutil.cpu_times()
    passed_s, stolen_s = sum(after) - sum(before), after.steal - before.steal
    return figures | {"stolen_share": stolen_s / passed_s if passed_s else 0.0}


def open_loops(url: str, core: int, for_s: float) -> list[dict[str, Any]]:
    rows = []
    for rate in RATES_PER_S:
        row: dict[str, Any] = {"arrivals_per_s": rate}
        rounds = sorted(
            (open_round(url, core, for_s, rate_per_s=rate) for _ in range(ROUNDS)),
            key=itemgetter("lateness_ms_p99"),
        )
        row["session"] = rounds[ROUNDS // 2]
        row["lateness_ms_p99_of_rounds"] = [one["lateness_ms_p99"] for one in rounds]
        if (k6 := command_of("k6")) is not None:
            row["k6"] = k6_open(k6, url, core, for_s, rate_per_s=rate)
        rows.append(row)
        sys.stdout.write(open_line(row))
        sys.stdout.flush()
    return rows


def closed_table(figures: dict[str, dict[str, float]]) -> str:
    ours = figures["session"]
    lines = [f"{'':13} {'requests/s':>11} {'per CPU s':>10} {'session is':>11} {'bar':>5}"]
    for name, one in figures.items():
        ratio = ours["requests_per_cpu_s"] / one["requests_per_cpu_s"]
        bar = f"{BARS[name]:.0f} x" if name in BARS else ""
        lines.append(
            f"{name:13} {one['requests_per_s']:11,.0f} {one['requests_per_cpu_s']:10,.0f}"
            f" {ratio:9.2f} x {bar:>5}"
        )
    missing = [name for name in OTHERS if name not in figures]
    if missing:
        lines.append(f"not on this machine: {', '.join(missing)}")
    return "\n".join([*lines, ""])


def open_line(row: dict[str, Any]) -> str:
    ours = row["session"]
    rounds = " ".join(f"{p99_ms:.2f}" for p99_ms in row["lateness_ms_p99_of_rounds"])
    theirs = f"  k6 dropped {row['k6']['dropped_share']:.1%}" if "k6" in row else ""
    return (
        f"open loop {row['arrivals_per_s']:6,}/s: missed {ours['missed']}, lateness ms"
        f" p50 {ours['lateness_ms_p50']:.2f} p99 {ours['lateness_ms_p99']:.2f}"
        f" max {ours['lateness_ms_max']:.1f}, CPU {ours['cpu_share']:.0%}, stolen"
        f" {ours['stolen_share']:.1%}, p99 of rounds {rounds}{theirs}\n"
    )


def main() -> None:
    for_s = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    first, *_, last = sorted(os.sched_getaffinity(0))
    load_before = os.getloadavg()[0]
    with small_server(last) as url:
        closed = closed_loops(url, first, for_s)
        sys.stdout.write(closed_table(closed))
        opened = open_loops(url, first, for_s)
        with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
            shopping = journey(url, first, Path(folder))
    sys.stdout.write(
        f"journey through the adapter: {shopping['operations_per_cpu_s']:,.0f} operations per"
        f" CPU s, lateness p99 {shopping['lateness_ms_p99']:.2f} ms\n"
    )
    results = ROOT / "benchmarks" / "results" / "traffic.json"
    results.parent.mkdir(exist_ok=True)
    machine = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average_1min_before": load_before,
    }
    found = {
        "note": "figures of one run on one machine: compare them with each other only",
        "machine": machine,
        "seconds": for_s,
        "closed_loop": closed,
        "open_loop": opened,
        "journey": shopping,
    }
    results.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
