"""A director that is killed in the middle of faults: the watchdog undoes and ends everything.

One kill amid five faults of different kinds runs always; DOORBUSTER_KILLS=10 adds ten kills in the
middle of each of them alone (`make soak`).
"""

import os
from pathlib import Path

import pytest

from tests.fault.test_director_ended import PLAN, rehearsing, report_of
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.timeout(180)]

KILLS = int(os.environ.get("DOORBUSTER_KILLS", "0"))
SWEPT_WITHIN_S = 30.0
FAULTS = {
    "payments latency": "{at: rush+1s, for: 20s, on: payments, latency: {delay: 300ms}}",
    "edge flap": "{at: rush+1s, for: 20s, on: edge, flap: {down: 500ms, up: 1s}}",
    "provider respond": (
        "{at: rush+1s, for: 20s, on: provider, respond: {mode: timeout_after_capture, share: 30%}}"
    ),
    "postgres-b pause": "{at: rush+1s, for: 20s, on: postgres-b, pause: {}}",
    "postgres lock": "{at: rush+1s, for: 20s, on: postgres, lock: {sku: BASE-1}}",
}


def plan_with(*faults: str) -> str:
    head, _, _ = PLAN.partition("faults:")
    lines = "".join(f"  - {FAULTS[fault]}\n" for fault in faults)
    return f"{head}limits: {{concurrent_faults: 5}}\nfaults:\n{lines}"


def kill_amid(folder: Path, *faults: str) -> None:
    with rehearsing(folder, plan=plan_with(*faults)) as director:
        for fault in faults:
            director.reach(("fault", "active", fault))
        director.process.kill()
        director.process.wait()
        assert eventually(lambda: not director.left(), bound_s=SWEPT_WITHIN_S), director.left()
    assert report_of(director, folder).returncode == 4


def test_nothing_is_left_of_five_faults_at_once(tmp_path: Path) -> None:
    kill_amid(tmp_path, *FAULTS)


@pytest.mark.skipif(KILLS == 0, reason="takes minutes: DOORBUSTER_KILLS says how many of each")
@pytest.mark.parametrize("turn", range(max(KILLS, 1)))
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_left_time_and_again(fault: str, turn: int, tmp_path: Path) -> None:
    kill_amid(tmp_path, fault)
