"""The smoke plan on the containers stack, as a user types it: to its end, and killed on the way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from doorbuster.stack.containers.images import Images
from tests.containers.engine_here import CHECKOUT, names_with
from tests.easy import EASY_SMOKE
from tests.waiting import eventually

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1200)]

COMMAND = (sys.executable, "-m", "doorbuster", "rehearse", *EASY_SMOKE, "--set", "stack=containers")


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
    assert "in a container" in json.loads((run / "environment.json").read_text())["proxy"]
    assert "started streaming WAL" in (run / "logs" / "postgres-b.log").read_text()
    assert names_with(f"smoke-{run.name}".lower()) == []


def test_what_a_killed_director_leaves_is_removed(images: Images, tmp_path: Path) -> None:
    command = (*COMMAND, "--runs", str(tmp_path))
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as director:
        assert director.stdout is not None
        assert any("the shop is up" in line for line in director.stdout)
        (run,) = (path for path in (tmp_path / "smoke").iterdir() if not path.is_symlink())
        ours = f"smoke-{run.name}".lower()
        assert names_with(ours)
        director.kill()
    assert eventually(lambda: not names_with(ours), bound_s=20)
