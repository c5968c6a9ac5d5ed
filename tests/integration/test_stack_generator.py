"""The generator's process as its director sees it, with programs that only pretend to generate."""

import sys
import time
from pathlib import Path

import pytest

from doorbuster.run import Stopped
from doorbuster.stack.generator import Job, generator

pytestmark = pytest.mark.integration

SCRIPT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
sys.stdin.readline()
print("ready", flush=True)
time.sleep({lasts_s})
"""


def command(*, lasts_s: float) -> tuple[str, ...]:
    return (sys.executable, "-c", SCRIPT.format(lasts_s=lasts_s))


def test_while_sessions_end_the_director_goes_on_ticking(tmp_path: Path) -> None:
    """Else the watchdog would take it for hung, and nobody could stop it."""
    ticks: list[float] = []
    job = Job(b"{}", 30.0, command(lasts_s=1.0), tick=lambda: ticks.append(time.monotonic()))
    with generator(job, run_id="drained", logs=tmp_path) as running:
        ticks.clear()
        running.finish(now=False)
    assert len(ticks) >= 3


def test_who_has_enough_of_waiting_gets_what_is_written_so_far(tmp_path: Path) -> None:
    enough = Stopped("by hand", by_hand=True)
    began_s: list[float] = []

    def tick() -> None:
        if began_s:
            raise enough

    job = Job(b"{}", 60.0, command(lasts_s=60.0), tick=tick)
    with generator(job, run_id="drained", logs=tmp_path) as running:
        began_s.append(time.monotonic())
        with pytest.raises(Stopped) as stopped:
            running.finish(now=False)
    assert stopped.value is enough
    assert time.monotonic() - began_s[0] < 30, "it was ended, and not waited for"
