"""What of a run is still on this machine: processes, shared memory segments, folders; and its end.

A process belongs to a run if it carries the run's mark in its environment, or works in the run's
folder. Both are needed: Postgres backends overwrite their environment with their title.
"""

import ctypes
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from doorbuster.components import RUN_MARK
from doorbuster.errors import LeftBehind

COMPONENT_MARK = "DOORBUSTER_COMPONENT"
"""The environment variable that tells which component a process belongs to."""

Search = Callable[[str], Collection[psutil.Process]]
"""Finds processes of the run with an id."""

KILL_BOUND_S = 10.0
SEGMENTS = Path("/proc/sysvipc/shm")
IPC_RMID = 0


def folder_prefix(run_id: str) -> str:
    return f"doorbuster-{run_id}-"


def folder_of(run_id: str) -> re.Pattern[str]:
    """Return what matches paths of the run's folder, and not those of a run `<run_id>-2`."""
    prefix = Path(tempfile.gettempdir()) / folder_prefix(run_id)
    return re.compile(re.escape(str(prefix)) + r"[a-z0-9_]{8}(?=/|$)")


def folders_of(run_id: str) -> list[Path]:
    own = folder_of(run_id)
    return [path for path in Path(tempfile.gettempdir()).iterdir() if own.fullmatch(str(path))]


def processes_of(run_id: str) -> list[psutil.Process]:
    """Return the living processes of a run, without the one that asks."""
    folder, mark = folder_of(run_id), {RUN_MARK: run_id}
    return find(lambda process: carries(process, mark) or works_in(process, folder))


def segments_of(run_id: str) -> list[int]:
    """Return the ids of shared memory segments that servers of the run have not given back."""
    existing = existing_segments()
    named = (segment_named_in(pid_file) for pid_file in pid_files_of(run_id))
    return [segment for segment in named if segment in existing]


def pid_files_of(run_id: str) -> Iterator[Path]:
    for folder in folders_of(run_id):
        with suppress(FileNotFoundError):  # somebody else is at removing it, too
            yield from folder.glob("*/data/postmaster.pid")


def stack_processes_of(run_id: str) -> list[psutil.Process]:
    """Return those processes of a run that are part of a component, so not its watchdog."""
    folder = folder_of(run_id)
    return [p for p in processes_of(run_id) if names_component(p) or works_in(p, folder)]


def leftovers_of(run_id: str, *, search: Search = processes_of) -> list[str]:
    """Return one line for each thing of the run that is still here."""
    return [
        *(f"process {process.pid} ({title(process)})" for process in search(run_id)),
        *(f"shared memory segment {segment}" for segment in segments_of(run_id)),
        *(f"folder {folder}" for folder in folders_of(run_id)),
    ]


def require_nothing_left(run_id: str, *, search: Search = processes_of) -> None:
    if left := leftovers_of(run_id, search=search):
        raise LeftBehind(f"run {run_id} left behind: " + "; ".join(left))


def sweep(run_id: str) -> None:
    """End and remove all that is left of a run, except the process that asks."""
    kill_all(partial(processes_of, run_id))
    sweep_stack(run_id)


def sweep_stack(run_id: str) -> None:
    """End and remove what is left of a run's components, stopped processes included."""
    kill_all(partial(stack_processes_of, run_id))
    for pid_file in pid_files_of(run_id):
        forget_crash(pid_file)
    for folder in folders_of(run_id):
        shutil.rmtree(folder)


def kill_all(search: Callable[[], Collection[psutil.Process]]) -> None:
    """SIGKILL whatever `search` finds, again and again until it finds nothing more."""
    give_up_s = time.monotonic() + KILL_BOUND_S
    while found := search():
        for process in found:
            send(process, signal.SIGKILL)
        if time.monotonic() > give_up_s:
            names = ", ".join(f"{process.pid}" for process in found)
            raise LeftBehind(f"processes {names} do not end within {KILL_BOUND_S:g} s of SIGKILL")
        time.sleep(0.005)


def forget_crash(pid_file: Path) -> None:
    """Remove the segment that a killed Postgres left, and the file that names it.

    Call it only when none of the server's processes is alive.
    """
    if not pid_file.exists():
        return
    segment = segment_named_in(pid_file)
    if segment is not None:
        ctypes.CDLL(None).shmctl(segment, IPC_RMID, None)
        if segment in existing_segments():
            raise LeftBehind(f"shared memory segment {segment} stays: ipcrm -m {segment}")
    pid_file.unlink()


def segment_named_in(pid_file: Path) -> int | None:
    """Return the segment's id: the seventh line holds its key and its id once there is one."""
    lines = pid_file.read_text().splitlines()
    return int(lines[6].split()[1]) if len(lines) > 6 and lines[6].strip() else None


def existing_segments() -> set[int]:
    if not SEGMENTS.exists():
        return set()
    return {int(line.split()[1]) for line in SEGMENTS.read_text().splitlines()[1:]}


def find(belongs: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """Return the processes but us that belong to something and can still do something.

    Whether it belongs is asked first, since most do not and it costs less.
    """
    return [p for p in psutil.process_iter() if p.pid != os.getpid() and belongs(p) and is_alive(p)]


def is_alive(process: psutil.Process) -> bool:
    """Say whether it can still do something; a zombie cannot."""
    try:
        return process.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return False


def carries(process: psutil.Process, marks: dict[str, str]) -> bool:
    try:
        return marks.items() <= process.environ().items()
    except (psutil.Error, OSError):
        return False  # gone meanwhile, or somebody else's


def names_component(process: psutil.Process) -> bool:
    try:
        return COMPONENT_MARK in process.environ()
    except (psutil.Error, OSError):
        return False


def works_in(process: psutil.Process, folder: re.Pattern[str]) -> bool:
    try:
        return folder.match(process.cwd()) is not None
    except (psutil.Error, OSError):
        return False  # gone meanwhile, or somebody else's


def send(process: psutil.Process, what: signal.Signals) -> None:
    """Send a signal; a process that has just gone needs none."""
    try:
        process.send_signal(what)
    except psutil.NoSuchProcess:
        return


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return "gone meanwhile"
