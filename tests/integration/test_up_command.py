"""`doorbuster up`: a shop to look around in, and nothing of it after Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from doorbuster import leftovers
from doorbuster.components import RUN_MARK
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

UP_WITHIN_S = 120.0


def fetched(url: str) -> str:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=20) as answer:
        return str(answer.read().decode())


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files that Postgres' user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="doorbuster-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_shop_is_up_and_open_until_somebody_ends_it(tmp_path: Path, temporary: Path) -> None:
    log = tmp_path / "said"
    with log.open("wb") as said:
        process = subprocess.Popen(
            (sys.executable, "-m", "doorbuster", "up", "smoke"),
            stdout=said,
            stderr=said,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
    try:
        assert eventually(lambda: "Ctrl-C ends it all" in log.read_text(), bound_s=UP_WITHIN_S), (
            log.read_text()
        )
        (url,) = re.findall(r"for people and shoppers +(\S+)/\n", log.read_text())
        assert "<title>" in fetched(f"{url}/")
        assert '"available":40,"reserved":0' in fetched(f"{url}/v1/skus/HOT-1/stock")
        family = psutil.Process(process.pid).children(recursive=True)
        (run_id,) = {p.environ()[RUN_MARK] for p in family if RUN_MARK in p.environ()}
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert leftovers.leftovers_of(run_id) == []
    assert list(temporary.iterdir()) == []
