"""What this machine has, is and supports: whether a rehearsal can run here, and how well."""

import os
import platform
import pwd
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import psutil

from doorbuster.environment import usable_cores
from doorbuster.errors import MissingPrerequisite
from doorbuster.stack.binaries import BIN_VARIABLE, require_programs, wheel_install
from doorbuster.stack.place import UNPRIVILEGED_USER, require_space
from doorbuster.stack.ports import FILES_MIN, raise_file_limit, require_loopback
from doorbuster.stack.redis import redis_program

PYTHONS: Final = ((3, 11), (3, 14))
GLIBC_MIN: Final = (2, 28)
MEMORY_MIN_BYTES: Final = 512 * 1024**2
MEMORY_GOOD_BYTES: Final = 2 * 1024**3
CORES_GOOD: Final = 2
NAPS: Final = 50
NAP_S: Final = 0.002
LATE_S: Final = 0.010
"""Woken later than this, the generator of a busy machine would be late for its arrivals."""

VERSION_BOUND_S: Final = 20

State = Literal["ok", "note", "lacks"]


@dataclass(frozen=True)
class Finding:
    """One fact about the machine.

    Args:
        state: `note` is good to know and stops nothing; what it `lacks` a rehearsal needs.
    """

    name: str
    state: State
    text: str


def asked(name: str, question: Callable[[], str], *, needed: bool = True) -> Finding:
    """Return the answer to a question, or what is missing."""
    try:
        return Finding(name, "ok", question())
    except MissingPrerequisite as error:
        return Finding(name, "lacks" if needed else "note", str(error))


def examine(proxy: Callable[[], str]) -> Iterator[Finding]:
    """Look at everything that a rehearsal depends on; `proxy` says which one it would use."""
    yield python()
    yield system(platform.system(), platform.machine(), platform.libc_ver())
    yield cores(usable_cores(), os.getloadavg()[0])
    yield memory(psutil.virtual_memory().available)
    yield asked("open files", files)
    yield asked("loopback", loopback)
    yield asked("temporary files", space)
    yield asked("user", user)
    yield asked("Postgres", postgres)
    yield asked("Redis", redis, needed=False)
    yield asked("proxy", proxy)
    yield asked("Docker", docker, needed=False)
    yield asked("Chromium", chromium, needed=False)
    yield clock()


def python(version: tuple[int, ...] = sys.version_info[:2]) -> Finding:
    lowest, highest = PYTHONS
    text = f"{platform.python_version()} at {sys.executable}"
    if lowest <= version <= highest:
        return Finding("Python", "ok", text)
    spoken = f"{lowest[0]}.{lowest[1]} to {highest[0]}.{highest[1]}"
    return Finding("Python", "lacks" if version < lowest else "note", f"{text}; tried are {spoken}")


def system(name: str, machine: str, libc: tuple[str, str]) -> Finding:
    """Judge the platform: Linux on x86_64 with glibc is what everything is tried on."""
    text = " ".join(part for part in (name, platform.release(), machine, *libc) if part)
    old = libc[0] == "glibc" and tuple(map(int, libc[1].split("."))) < GLIBC_MIN
    if name == "Linux" and machine == "x86_64" and libc[0] == "glibc" and not old:
        return Finding("system", "ok", text)
    if name == "Darwin":
        return Finding("system", "note", f"{text}: best effort, it is not tested there")
    return Finding("system", "lacks", f"{text}; expected Linux on x86_64 with glibc >= 2.28")


def cores(count: int, load: float) -> Finding:
    text = f"{count}, load {load:.1f}"
    if count < CORES_GOOD:
        return Finding("cores", "note", f"{text}: generator and shop take each other's time")
    if load > count:
        return Finding("cores", "note", f"{text}: others are at work, figures will suffer")
    return Finding("cores", "ok", text)


def memory(available_bytes: int) -> Finding:
    text = f"{available_bytes / 1024**3:.1f} GiB free"
    if available_bytes < MEMORY_MIN_BYTES:
        return Finding("memory", "lacks", f"{text}; a rehearsal needs 0.5 GiB")
    return Finding("memory", "ok" if available_bytes >= MEMORY_GOOD_BYTES else "note", text)


def files() -> str:
    """Return the limit of open files; looking at it raises the soft one, as a rehearsal does."""
    raise_file_limit()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft:,} allowed"
    return f"{limit}, {FILES_MIN:,} are needed"


def loopback() -> str:
    require_loopback()
    return "can be listened on"


def space() -> str:
    folder = Path(tempfile.gettempdir())
    require_space(folder)
    return f"{folder}, {shutil.disk_usage(folder).free / 1024**3:.1f} GiB free"


def user() -> str:
    """Return who we are; as root somebody else has to be there to run Postgres."""
    if os.geteuid() != 0:
        return f"user {os.geteuid()}"
    try:
        pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        raise MissingPrerequisite(
            f"root, and no user {UNPRIVILEGED_USER!r} to run Postgres as: add one or be another"
        ) from None
    return f"root; Postgres runs as {UNPRIVILEGED_USER}"


def postgres() -> str:
    named = os.environ.get(BIN_VARIABLE)
    folder = wheel_install() / "bin" if named is None else Path(named)
    require_programs(folder, remedy=f"set {BIN_VARIABLE} to a folder that has it")
    return version_of(folder / "postgres", "--version")


def redis() -> str:
    return version_of(redis_program(), "--version")


def docker() -> str:
    """Return the engine's version, which only `stack: containers` needs."""
    program = shutil.which("docker")
    if program is None:
        raise MissingPrerequisite("no docker command here: only `stack: containers` needs one")
    return version_of(Path(program), "version", "--format", "engine {{.Server.Version}}")


def chromium() -> str:
    program = shutil.which("chromium")
    if program is None:
        raise MissingPrerequisite("none on PATH: only the tests of pages need it")
    return version_of(Path(program), "--version")


def version_of(program: Path, *arguments: str) -> str:
    """Return what a program says of itself, in its first line."""
    command = (str(program), *arguments)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=VERSION_BOUND_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        last = said.splitlines()[-1] if said else "it says nothing"
        raise MissingPrerequisite(f"{' '.join(command)} failed: {last}") from error
    return done.stdout.strip().splitlines()[0]


def clock() -> Finding:
    """Tell the time, and how late this machine wakes somebody who sleeps."""
    late_s = []
    for _ in range(NAPS):
        began_s = time.perf_counter()
        time.sleep(NAP_S)
        late_s.append(time.perf_counter() - began_s - NAP_S)
    p99_s = statistics.quantiles(late_s, n=100)[98]
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    text = f"{now}; wakes {p99_s * 1000:.1f} ms late (p99)"
    if p99_s > LATE_S:
        return Finding("time", "note", f"{text}: arrivals will be late, the machine is busy")
    return Finding("time", "ok", text)
