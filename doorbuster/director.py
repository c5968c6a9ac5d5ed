"""Who directs a run: a record in the run directory, so that other terminals find the process.

The record goes when the director ends; one that was killed leaves it, and then no process with
that id and birth exists any more.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import psutil

from doorbuster.errors import DoorbusterError, PlanError
from doorbuster.rundir import RunDirectory, write_json

RECORD: Final = "director.json"


class Director(msgspec.Struct, frozen=True):
    """The process that directs a run.

    Args:
        born_epoch_s: When the process began; ids are given again, births are not.
    """

    pid: int
    born_epoch_s: float
    host: str

    @property
    def process(self) -> psutil.Process | None:
        """The process, None if it has ended or runs on another machine."""
        if self.host != platform.node():
            return None
        try:
            process = psutil.Process(self.pid)
            same = process.create_time() == self.born_epoch_s
        except psutil.NoSuchProcess:
            return None
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None


@contextmanager
def directing(run: RunDirectory) -> Iterator[None]:
    """Say in the run directory that this process directs the run, until it no longer does."""
    record = run.path / RECORD
    myself = psutil.Process(os.getpid())
    write_json(record, Director(myself.pid, myself.create_time(), platform.node()))
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def director_of(run: RunDirectory) -> Director | None:
    """Return the living director of a run on this machine, None when there is none."""
    try:
        found = msgspec.json.decode((run.path / RECORD).read_bytes(), type=Director)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise DoorbusterError(
            f"{run.path / RECORD}: {error}; remove it if no run goes on"
        ) from error
    return found if found.process is not None else None


def runs_under_way(runs: Path) -> list[RunDirectory]:
    """Return the runs under `runs` whose director lives, oldest first."""
    folders = {record.parent.resolve() for record in runs.glob(f"*/*/{RECORD}")}
    found = [RunDirectory(folder) for folder in sorted(folders, key=lambda folder: folder.name)]
    return [run for run in found if director_of(run) is not None]


def run_under_way(runs: Path) -> RunDirectory:
    """Return the one run that goes on now.

    Raises:
        PlanError: None does, or several do and nobody said which is meant.
    """
    found = runs_under_way(runs)
    if not found:
        raise PlanError(f"no rehearsal is under way under {runs}")
    if len(found) > 1:
        paths = ", ".join(str(run.path) for run in found)
        raise PlanError(f"several rehearsals are under way, name one of them: {paths}")
    return found[0]
