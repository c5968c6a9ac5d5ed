"""The lock of a target: held by one, given back, outlived by its lease."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorbuster.errors import PlanError
from doorbuster.locks import FOLDER, locked

TARGET = "shop.staging:443"
CONTEND = """
import sys, tempfile
from pathlib import Path
tempfile.tempdir = sys.argv[1]
from doorbuster.errors import PlanError
from doorbuster.locks import locked
inside = Path(sys.argv[1]) / "inside"
for turn in range(40):
    try:
        with locked("shop", owner=sys.argv[2], reason="contends", lease_s=60):
            inside.mkdir()
            inside.rmdir()
    except PlanError:
        continue
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path / FOLDER
    assert not (tmp_path / FOLDER).exists(), "a lock was left behind"


def test_a_second_drill_is_told_who_holds_the_target() -> None:
    with locked(TARGET, owner="run-1 of Ana", reason="rehearsal", lease_s=60):
        told = r"shop\.staging:443 is being drilled by run-1 of Ana \(rehearsal\).*lease ends in"
        with pytest.raises(PlanError, match=told), locked(TARGET, owner="b", reason="", lease_s=60):
            pytest.fail("two hold it")
        with locked("other.staging:443", owner="b", reason="another one", lease_s=60):
            pass
    with locked(TARGET, owner="b", reason="after it", lease_s=60):
        pass


def test_a_lease_that_ended_is_taken_over_and_not_given_back_by_the_first() -> None:
    with locked(TARGET, owner="dead", reason="", lease_s=-1):
        second = locked(TARGET, owner="alive", reason="", lease_s=60)
        second.__enter__()
    with (
        pytest.raises(PlanError, match="by alive"),
        locked(TARGET, owner="third", reason="", lease_s=60),
    ):
        pytest.fail("two hold it")
    second.__exit__(None, None, None)


def test_a_renewed_lease_keeps_others_out() -> None:
    with locked(TARGET, owner="a", reason="", lease_s=-1) as lock:
        lock.renew(60)
        with pytest.raises(PlanError), locked(TARGET, owner="b", reason="", lease_s=60):
            pytest.fail("two hold it")


def test_a_file_that_was_cut_holds_nobody() -> None:
    with locked(TARGET, owner="a", reason="", lease_s=60) as lock:
        lock.path.write_bytes(b'{"target": "sh')
        with locked(TARGET, owner="b", reason="", lease_s=60):
            pass


def test_contenders_are_never_inside_together(tmp_path: Path) -> None:
    contenders = [
        subprocess.Popen((sys.executable, "-c", CONTEND, str(tmp_path), name)) for name in "abc"
    ]
    assert [contender.wait(60) for contender in contenders] == [0, 0, 0]
