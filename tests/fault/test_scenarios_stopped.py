"""A generator that stands still: would anybody notice?"""

import os
import signal
import time

import pytest
from hdrh.histogram import HdrHistogram

from tests.scenarios_fakes import PLAN, FakeShop, new_traffic_run, plan_of, traffic

pytestmark = [pytest.mark.integration, pytest.mark.fault]

STOPPED_S = 1.0


def highest_s(run, tag):
    histogram = HdrHistogram(1, 60_000_000, 3)
    for line in (run.latency / "0.hlog").read_text().splitlines():
        if line.startswith(f"Tag={tag},"):
            histogram.decode_and_add(line.rsplit(",", 1)[1])
    return histogram.get_max_value() / 1e6


def test_generator_that_was_stopped_shows_it_in_lateness(tmp_path):
    """Goal: a generator without time is not mistaken for a slow shop, nor for a fast one.

    Method: stop the process for a second in the middle of steady arrivals. The arrivals that were
    due meanwhile must start late, none may be lost, and the shoppers' latency must contain the
    wait (counted from when they wanted the page), which a latency counted from the send does not.
    """
    loaded = plan_of(PLAN.replace("rate: 40/s", "rate: 100/s"))
    run = new_traffic_run(tmp_path, loaded)
    with FakeShop() as shop, traffic(run, loaded, shop.url) as (process, zero_s):
        time.sleep(max(0.0, zero_s + 2.2 - time.monotonic()))
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)
        os.kill(process.pid, signal.SIGCONT)
        _, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (0, b"")
    assert highest_s(run, "lateness") >= 0.8 * STOPPED_S
    assert highest_s(run, "view.intended") >= 0.8 * STOPPED_S
    assert highest_s(run, "view.service") < highest_s(run, "view.intended")
