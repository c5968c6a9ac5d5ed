"""Load generators that are not ours, each told to use one core and as many connections as we do."""

import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONNECTIONS = 32
K6_CLOSED = """
import http from "k6/http";
export const options = {{ vus: {connections}, duration: "{for_s}s" }};
export default function () {{ http.get("{url}/small"); }}
"""
K6_OPEN = """
import http from "k6/http";
export const options = {{ scenarios: {{ open: {{
  executor: "constant-arrival-rate", rate: {rate}, timeUnit: "1s", duration: "{for_s}s",
  preAllocatedVUs: 500, maxVUs: 1000 }} }} }};
export default function () {{ http.get("{url}/small"); }}
"""


def command_of(name: str) -> str | None:
    """Return the program, as an environment variable or PATH says, None if there is none."""
    return os.environ.get(f"DOORBUSTER_{name.upper()}") or shutil.which(name)


def run(core: int, *words: str, stdin: str = "") -> tuple[str, float]:
    """Run a program on one core; return what it printed and the processor time it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        ["taskset", "-c", str(core), *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, spent_s


def figures(requests: float, spent_s: float, for_s: float) -> dict[str, float]:
    return {
        "requests_per_s": requests / for_s,
        "requests_per_cpu_s": requests / spent_s,
        "cpu_share": spent_s / for_s,
    }


def wrk(command: str, url: str, core: int, for_s: float) -> dict[str, float]:
    whole_s = max(1, round(for_s))
    said, spent_s = run(core, command, "-t1", f"-c{CONNECTIONS}", f"-d{whole_s}s", f"{url}/small")
    found = re.search(r"(\d+) requests in", said)
    assert found, said
    return figures(int(found[1]), spent_s, whole_s)


def vegeta(command: str, url: str, core: int, for_s: float) -> dict[str, float]:
    attack = ("attack", "-rate=0", f"-max-workers={CONNECTIONS}", f"-duration={for_s}s")
    with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
        shots = str(Path(folder) / "shots")
        _, spent_s = run(core, command, *attack, f"-output={shots}", stdin=f"GET {url}/small\n")
        report, _ = run(core, command, "report", "-type=json", shots)
    return figures(json.loads(report)["requests"], spent_s, for_s)


def oha(command: str, url: str, core: int, for_s: float) -> dict[str, float]:
    how = (f"-c{CONNECTIONS}", f"-z{for_s}s", "--no-tui", "--output-format=json")
    said, spent_s = run(core, command, *how, f"{url}/small")
    report = json.loads(said)
    return figures(report["summary"]["requestsPerSec"] * for_s, spent_s, for_s)


def k6(command: str, url: str, core: int, for_s: float) -> dict[str, float]:
    """Measure k6; what it spends on starting is not counted."""
    once = K6_CLOSED.replace('duration: "{for_s}s"', "iterations: {connections}")
    _, starting_s = _k6(command, core, once, url=url, for_s=for_s)
    metrics, spent_s = _k6(command, core, K6_CLOSED, url=url, for_s=for_s)
    return figures(metrics["http_reqs"]["count"], max(0.1, spent_s - starting_s), for_s)


def k6_open(
    command: str, url: str, core: int, for_s: float, *, rate_per_s: int
) -> dict[str, float]:
    """Return how many of the arrivals k6 could not start."""
    metrics, spent_s = _k6(command, core, K6_OPEN, url=url, for_s=for_s, rate=rate_per_s)
    dropped = metrics.get("dropped_iterations", {"count": 0})["count"]
    started = metrics["iterations"]["count"]
    return {
        "dropped": dropped,
        "dropped_share": dropped / (dropped + started),
        "cpu_share": spent_s / for_s,
    }


def _k6(command: str, core: int, script: str, **values: Any) -> tuple[dict[str, Any], float]:
    with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
        path, summary = Path(folder) / "script.js", Path(folder) / "summary.json"
        path.write_text(script.format(connections=CONNECTIONS, **values))
        quiet = ("run", "--quiet", "--no-usage-report", f"--summary-export={summary}")
        _, spent_s = run(core, command, *quiet, str(path))
        metrics: dict[str, Any] = json.loads(summary.read_text())["metrics"]
    return metrics, spent_s


OTHERS: dict[str, Callable[[str, str, int, float], dict[str, float]]] = {
    "k6": k6,
    "vegeta": vegeta,
    "oha": oha,
    "wrk": wrk,
}
