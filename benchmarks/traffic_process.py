"""The traffic process as a rehearsal starts it, for measuring it from outside."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from doorbuster.plan import load_plan
from doorbuster.rundir import RunDirectory, new_run
from scenarios.order import StartSignal, TrafficOrder

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def traffic_process(
    plan: str, url: str, folder: Path, *, before: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], RunDirectory]]:
    """Start it and yield it under way; at the end it has written its run directory or is ended.

    `before` are the words that its command begins with, such as those of taskset.
    """
    loaded = load_plan(plan, source="benchmark", environ={})
    run = new_run(folder, loaded.plan.name)
    order = TrafficOrder(
        run_id=run.run_id, run_dir=str(run.path), plan=loaded.resolved, base_url=url
    )
    command = [*before, sys.executable, "-m", "scenarios"]
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
            yield process, run
            process.communicate(timeout=loaded.plan.length_s + 120)
        finally:
            process.kill()
