"""Starts the processes of a run: each in a session of its own, marked, and dying with us."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from doorbuster.components import RUN_MARK
from doorbuster.errors import MissingPrerequisite, TargetNotReady
from doorbuster.leftovers import COMPONENT_MARK
from doorbuster.stack import child
from doorbuster.stack.ready import last_lines

SOURCES = Path(__file__).parents[2]
"""Where our packages are, so that a child finds them from any working directory."""


@dataclass(frozen=True)
class Account:
    """A user other than our own that a program runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """Where a run keeps what lives only as long as the stack (`folder`), and its logs."""

    run_id: str
    folder: Path
    logs: Path

    def home_of(self, component: str, *, account: Account | None = None) -> Path:
        """Return the component's own folder, made on first use and owned by its account."""
        home = self.folder / component
        if not home.exists():
            home.mkdir()
            home.chmod(0o755)
            if account is not None:
                os.chown(home, account.uid, account.gid)
        return home


@dataclass(frozen=True)
class Program:
    """One program of a component: what to run, where, and as whom.

    `home` is its working directory. No other component works in there, so every process found
    in it is one of this component's: Postgres overwrites the environment of its backends with
    their title, and only the working directory tells whose they are.

    `end_signal` ends it with the stack, `stop_signal` in good order in the middle of a run.
    """

    component: str
    command: tuple[str, ...]
    home: Path
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    end_signal: signal.Signals = signal.SIGTERM
    stop_signal: signal.Signals = signal.SIGTERM


def spawn(program: Program, *, run_id: str, talk: bool = False) -> "subprocess.Popen[bytes]":
    """Start `program`; it is killed when this process dies, however that happens.

    With `talk`, its input and output are pipes to us and only its errors go to the log.

    Only from the main thread: the kernel sends the death signal when the *thread* that forked
    ends. The session of its own keeps the terminal's Ctrl-C away from the shop.
    """
    assert threading.current_thread() is threading.main_thread(), "spawn from the main thread"
    account = program.account
    user = ("-", "-") if account is None else (str(account.uid), str(account.gid))
    trampoline = (sys.executable, "-I", "-S", str(child.__file__), str(os.getpid()), *user)
    with program.log.open("ab") as log:
        return subprocess.Popen(
            (*trampoline, found(program.command[0]), *program.command[1:]),
            cwd=program.home,
            env=environment_of(program, run_id=run_id),
            stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talk else log,
            stderr=log,
            start_new_session=True,
        )


def found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise MissingPrerequisite(f"no program {program!r} here: install it or put it on PATH")
    return str(Path(path).absolute())


def environment_of(program: Program, *, run_id: str) -> dict[str, str]:
    """Return our environment without what would redirect a child, plus the marks."""
    inherited = {name: value for name, value in os.environ.items() if not redirects(name)}
    ours = {
        "HOME": str(program.home),
        "PYTHONPATH": str(SOURCES),
        "PYTHONUNBUFFERED": "1",
        RUN_MARK: run_id,
        COMPONENT_MARK: program.component,
    }
    return inherited | ours | dict(program.environment)


def redirects(name: str) -> bool:
    """Say whether a variable would send a child elsewhere: HTTP_PROXY and libpq's PGHOST etc."""
    return name.upper().endswith("_PROXY") or name.startswith("PG")


def run_to_end(program: Program, *, run_id: str, bound_s: float) -> None:
    """Run a program that ends by itself, such as initdb, and insist that it succeeds."""
    with spawn(program, run_id=run_id) as process:
        try:
            exit_code = process.wait(bound_s)
        except subprocess.TimeoutExpired:
            process.kill()
            exit_code = -signal.SIGKILL
    if exit_code != 0:
        raise TargetNotReady(
            f"{Path(program.command[0]).name} for {program.component} ended with {exit_code}"
            f"{last_lines(program.log)}"
        )
