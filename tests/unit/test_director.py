"""Who directs a run: this process, nobody, somebody who has gone, or a file that says nothing."""

import os
import platform
from pathlib import Path

import psutil
import pytest

from doorbuster.director import RECORD, Director, directing, director_of, runs_under_way
from doorbuster.errors import DoorbusterError
from doorbuster.rundir import RunDirectory, new_run, write_json

BORN_S = psutil.Process().create_time()


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return new_run(tmp_path, "drill")


def test_this_process_directs_until_it_no_longer_does(run: RunDirectory, tmp_path: Path) -> None:
    with directing(run):
        found = director_of(run)
        assert found is not None
        assert found.pid == os.getpid()
        assert [r.path for r in runs_under_way(tmp_path)] == [run.path.resolve()]
    assert director_of(run) is None
    assert runs_under_way(tmp_path) == []


@pytest.mark.parametrize(
    "gone",
    [
        Director(os.getpid(), BORN_S - 60, platform.node()),
        Director(2**22 + 1, BORN_S, platform.node()),
        Director(os.getpid(), BORN_S, "elsewhere"),
    ],
    ids=["its id was given again", "it has ended", "it is on another machine"],
)
def test_a_record_alone_is_nobody(gone: Director, run: RunDirectory) -> None:
    write_json(run.path / RECORD, gone)
    assert director_of(run) is None


def test_a_record_that_says_nothing_is_an_error(run: RunDirectory) -> None:
    (run.path / RECORD).write_text("{")
    with pytest.raises(DoorbusterError, match=r"director\.json.*remove it"):
        director_of(run)
