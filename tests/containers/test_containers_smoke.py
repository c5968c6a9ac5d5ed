"""The smoke plan passes on the containers stack, as a user types it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from doorbuster.stack.containers.images import Images
from tests.containers.engine_here import CHECKOUT, names_with

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

COMMAND = (sys.executable, "-m", "doorbuster", "rehearse", "smoke", "--set", "stack=containers")


def test_the_smoke_plan_passes_and_leaves_nothing(images: Images, tmp_path: Path) -> None:
    rehearsal = subprocess.run(
        (*COMMAND, "--runs", str(tmp_path)),
        cwd=CHECKOUT,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert rehearsal.returncode == 0, rehearsal.stdout[-4000:]
    run = (tmp_path / "smoke" / "latest").resolve()
    assert json.loads((run / "plan.json").read_text())["plan"]["stack"] == "containers"
    assert (run / "report.html").stat().st_size > 0
    assert "ready to accept connections" in (run / "logs" / "postgres-b.log").read_text()
    assert names_with(f"smoke-{run.name}".lower()) == []
