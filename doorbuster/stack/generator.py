"""The traffic generator, one process or a master and its workers: started, let go, waited for."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from doorbuster.clock import Clock
from doorbuster.errors import DoorbusterError
from doorbuster.news import LOST_EXIT_CODE, News, no_news
from doorbuster.run import RunEnded
from doorbuster.stack.lines import Lines
from doorbuster.stack.ports import LOOPBACK
from doorbuster.stack.process import Program, spawn
from doorbuster.stack.ready import last_lines

READY_BOUND_S: Final = 30.0
DRAIN_NOW_S: Final = 8.0
"""Longest wait after arrivals were stopped by hand."""

MARGIN_S: Final = 15.0
"""Beyond the shoppers' patience: the time to write down what is left."""

LOOK_EVERY_S: Final = 0.1


def no_tick() -> None:
    """Be the default of what goes on while the generator is waited for."""


@dataclass(frozen=True)
class Job:
    """What is to be generated, and by whom.

    Args:
        order: One line of JSON for the first process, see `scenarios.order`.
        patience_s: How long after the last arrival a session may still go on.
        command: The first process: the only one, or the master.
        workers: How many workers to start here, once the master listens for them.
        worker: A worker; the master's address and how long to try are added.
        ready_within_s: How long to wait until everybody is ready.
        hear: Told what the first process tells, see `doorbuster.news`.
        tick: Called several times a second while waiting for that, and for the sessions in flight
            at the end; raises to give up.
    """

    order: bytes
    patience_s: float
    command: tuple[str, ...] = (sys.executable, "-m", "scenarios")
    workers: int = 0
    worker: tuple[str, ...] = (sys.executable, "-m", "scenarios.distribution.worker")
    ready_within_s: float = READY_BOUND_S
    hear: Callable[[News], None] = no_news
    tick: Callable[[], None] = no_tick


class Generator:
    """A generator that is ready, or under way."""

    def __init__(self, job: Job, *, run_id: str, logs: Path) -> None:
        self._job = job
        self._run_id = run_id
        self._logs = logs
        self._log = logs / "traffic.log"
        self._process = self._spawn("traffic", job.command, talk=True)
        assert self._process.stdout is not None, "opened as a pipe"
        self._lines = Lines(self._process.stdout)
        self._workers: dict[Path, subprocess.Popen[bytes]] = {}
        self._lost = ""
        self._joined: int | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def worker_pids(self) -> list[int]:
        """The workers that were started here, by number."""
        return [worker.pid for worker in self._workers.values()]

    def order(self) -> None:
        """Hand over the order and wait until everybody is ready."""
        self._write(self._job.order)
        give_up_s = time.monotonic() + self._job.ready_within_s
        while not self._listen(within_s=LOOK_EVERY_S):
            self._job.tick()
            if self._process.poll() is not None:
                raise self._broken("did not get ready")
            if time.monotonic() > give_up_s:
                joined = f"; {self._joined} workers joined" if self._joined is not None else ""
                raise self._broken(
                    f"did not get ready within {self._job.ready_within_s:g} s{joined}"
                )
            self._require_workers()

    def begin(self, clock: Clock) -> None:
        """Let the arrivals come, on this clock."""
        self._write(msgspec.json.encode({"zero_monotonic_s": clock.zero_monotonic_s}))

    def check(self) -> None:
        """Raise if it ended before its time, or lost a part of itself."""
        self._listen()
        self._look_whether_killed()
        if self._lost:
            raise RunEnded(self._lost)
        if self._process.poll() is not None:
            raise self._broken("ended while traffic was on")

    def finish(self, *, now: bool) -> None:
        """Wait until sessions in flight have ended and all is written; with `now`, stop first.

        Raises:
            RunEnded: Somebody had enough of waiting; it was stopped then, and all is written.
        """
        early: RunEnded | None = None
        if not now:
            try:
                self._await_end(self._job.patience_s + MARGIN_S, self._job.tick)
            except RunEnded as enough:
                early = enough
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._await_end(DRAIN_NOW_S, no_tick)
        self._listen()
        self._look_whether_killed()
        if self._process.returncode not in (0, LOST_EXIT_CODE) and not self._lost:
            raise self._broken("failed")
        if early is not None:
            raise early

    def _await_end(self, bound_s: float, tick: Callable[[], None]) -> None:
        give_up_s = time.monotonic() + bound_s
        while self._process.poll() is None:
            if time.monotonic() > give_up_s:
                raise self._broken("did not end after the last arrivals")
            tick()
            self._listen(within_s=LOOK_EVERY_S)

    def end(self) -> None:
        """End it at once, if it is still there."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        for process in (self._process, *self._workers.values()):
            if process.poll() is None:
                process.kill()
                process.wait()

    def _listen(self, *, within_s: float = 0.0) -> bool:
        """Take in what it tells, and return whether it says that it is ready."""
        ready = False
        for line in self._lines.read(within_s=within_s):
            if line == b"ready":
                ready = True
            else:
                self._hear(line)
        return ready

    def _hear(self, line: bytes) -> None:
        try:
            news = msgspec.json.decode(line, type=News)
        except msgspec.MsgspecError as error:
            raise self._broken(f"said {line[:120]!r} ({error})") from error
        if news.what == "listening":
            self._joined = 0
            self._start_workers(f"{LOOPBACK}:{news.port}")
        if news.what == "joined":
            self._joined = (self._joined or 0) + 1
        if news.what == "lost":
            self._lost = self._lost or news.message
        self._job.hear(news)

    def _look_whether_killed(self) -> None:
        """Count a first process that somebody killed as lost; what it wrote is all there."""
        exit_code = self._process.poll()
        if exit_code is not None and exit_code < 0 and not self._lost:
            name = signal.Signals(-exit_code).name
            self._lost = f"the traffic generator was lost: {name} ended it"
            self._job.hear(News("lost", message=self._lost))

    def _start_workers(self, address: str) -> None:
        for number in range(self._job.workers):
            name = f"traffic-{number}"
            command = (*self._job.worker, address, f"{self._job.ready_within_s:g}")
            self._workers[self._logs / f"{name}.log"] = self._spawn(name, command, talk=False)

    def _require_workers(self) -> None:
        """Insist that no worker ended before anything began."""
        for log, worker in self._workers.items():
            if worker.poll() is not None:
                raise DoorbusterError(
                    f"a traffic worker ended while getting ready (exit code {worker.returncode})"
                    f"{last_lines(log)}"
                )

    def _spawn(
        self, component: str, command: tuple[str, ...], *, talk: bool
    ) -> "subprocess.Popen[bytes]":
        log = self._logs / f"{component}.log"
        program = Program(component=component, command=command, home=self._logs, log=log)
        return spawn(program, run_id=self._run_id, talk=talk)

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None, "opened as a pipe"
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._broken("does not listen") from error

    def _broken(self, what: str) -> DoorbusterError:
        exit_code = self._process.poll()
        state = "still runs" if exit_code is None else f"exit code {exit_code}"
        return DoorbusterError(f"the traffic generator {what} ({state}){last_lines(self._log)}")


@contextmanager
def generator(job: Job, *, run_id: str, logs: Path) -> Iterator[Generator]:
    """Start the generator with its order and yield it when it is ready to begin."""
    running = Generator(job, run_id=run_id, logs=logs)
    try:
        running.order()
        yield running
    finally:
        running.end()
