"""A component that is a process on this machine, with everything that descends from it."""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import psutil

from doorbuster import leftovers
from doorbuster.components import RUN_MARK
from doorbuster.errors import DoorbusterError
from doorbuster.stack.hog import hog_program
from doorbuster.stack.process import Program, spawn
from doorbuster.stack.ready import wait_until_ready

STOP_BOUND_S = 5.0
END_BOUND_S = 3.0


def nothing_to_do() -> None:
    """Be the default of `after_kill`."""


class LocalComponent:
    """A program as a `Component`: kill and pause reach every process that belongs to it."""

    def __init__(
        self,
        program: Program,
        *,
        run_id: str,
        address: str,
        ready: Callable[["LocalComponent"], str],
        after_kill: Callable[[], None] = nothing_to_do,
    ) -> None:
        self.program = program
        self.address = address
        self._run_id = run_id
        self._ready = ready
        self._after_kill = after_kill
        self._root: subprocess.Popen[bytes] | None = None
        self._hogs: list[LocalComponent] = []

    @property
    def name(self) -> str:
        return self.program.component

    @property
    def logs(self) -> Path:
        return self.program.log

    def is_up(self) -> bool:
        """Say whether the program itself runs, without looking for its descendants."""
        return self._root is not None and self._root.poll() is None

    def start(self) -> None:
        """Spawn the program; `wait_ready` is apart, so that several can start at once."""
        assert not self.pids(), f"{self.name} is already up"
        self._root = spawn(self.program, run_id=self._run_id)

    @property
    def pid(self) -> int:
        """The program itself, which is its own descendants' root."""
        assert self._root is not None, f"{self.name} was never started"
        return self._root.pid

    def wait_ready(self) -> None:
        wait_until_ready(
            partial(self._ready, self), what=self.name, log=self.logs, alive=self.is_up
        )

    def pids(self) -> Sequence[int]:
        return [process.pid for process in self._processes()]

    def kill(self) -> None:
        leftovers.kill_all(self._processes)
        self._reap()
        self._after_kill()

    def pause(self) -> None:
        self._signal_until(signal.SIGSTOP, lambda status: status == psutil.STATUS_STOPPED)

    def resume(self) -> None:
        self._signal_until(signal.SIGCONT, lambda status: status != psutil.STATUS_STOPPED)

    def restart(self) -> None:
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        self.kill()
        self.start()

    def end(self, grace_s: float) -> None:
        self._ask_to_end(self.program.stop_signal)
        give_up_s = time.monotonic() + grace_s
        while self.pids() and time.monotonic() < give_up_s:
            time.sleep(0.02)
        self.kill()

    def start_hog(self, *, cores: int, bound_s: float) -> None:
        for _ in range(cores):
            program = hog_program(self.program, number=len(self._hogs) + 1, bound_s=bound_s)
            hog = LocalComponent(program, run_id=self._run_id, address="", ready=lambda _: "")
            self._hogs.append(hog)
            hog.start()

    def hogs(self) -> Sequence[int]:
        return [pid for hog in self._hogs for pid in hog.pids()]

    def end_hog(self) -> None:
        for hog in self._hogs:
            hog.kill()
        self._hogs.clear()

    def ask_to_end(self) -> None:
        """Let the program end by itself, even if it was paused."""
        self._ask_to_end(self.program.end_signal)

    def _ask_to_end(self, how: signal.Signals) -> None:
        self.resume()
        if self._root is not None and self._root.poll() is None:
            self._root.send_signal(how)

    def _reap(self) -> None:
        if self._root is not None:
            self._root.wait(leftovers.KILL_BOUND_S)

    def _processes(self) -> list[psutil.Process]:
        """Return its living processes, the root first: what it starts next is then its own."""
        family = {process.pid: process for process in self._descendants()}
        marks = {RUN_MARK: self._run_id, leftovers.COMPONENT_MARK: self.name}
        home = re.compile(re.escape(str(self.program.home)) + "(?=/|$)")
        for process in leftovers.find(
            lambda p: leftovers.carries(p, marks) or leftovers.works_in(p, home)
        ):
            family.setdefault(process.pid, process)
        return list(family.values())

    def _descendants(self) -> list[psutil.Process]:
        if not self.is_up():
            return []
        try:
            root = psutil.Process(self.pid)
            found = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        return [process for process in found if leftovers.is_alive(process)]

    def _signal_until(self, what: signal.Signals, arrived: Callable[[str], bool]) -> None:
        """Send `what` to all until the status of every one shows it, new ones included."""
        give_up_s = time.monotonic() + STOP_BOUND_S
        while waiting := [p for p in self._processes() if not arrived(status_of(p))]:
            for process in waiting:
                leftovers.send(process, what)
            if time.monotonic() > give_up_s:
                raise DoorbusterError(f"{self.name} does not obey {what.name}: {waiting}")
            time.sleep(0.002)


def status_of(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def end_all(components: Collection[LocalComponent]) -> None:
    """End components, the last one started first, politely for a bounded time and then at once."""
    backwards = list(reversed(list(components)))
    for component in backwards:
        component.ask_to_end()
    give_up_s = time.monotonic() + END_BOUND_S
    while time.monotonic() < give_up_s and any(component.is_up() for component in backwards):
        time.sleep(0.02)
    for component in backwards:
        component.kill()
