"""The traffic generator as a process: told what to do, let go, and waited for at the end."""

import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from doorbuster.clock import Clock
from doorbuster.errors import DoorbusterError
from doorbuster.stack.process import Program, spawn
from doorbuster.stack.ready import last_lines

READY_BOUND_S: Final = 30.0
DRAIN_NOW_S: Final = 8.0
"""Longest wait after arrivals were stopped by hand."""

MARGIN_S: Final = 15.0
"""Beyond the shoppers' patience: the time to write down what is left."""


class Generator:
    """A generator that is ready, or under way."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, patience_s: float) -> None:
        self._process = process
        self._log = log
        self._patience_s = patience_s

    @property
    def pid(self) -> int:
        return self._process.pid

    def begin(self, clock: Clock) -> None:
        """Let the arrivals come, on this clock."""
        self._say({"zero_monotonic_s": clock.zero_monotonic_s})

    def check(self) -> None:
        """Raise if it ended before its time."""
        if self._process.poll() is not None:
            raise self._broken("ended while traffic was on")

    def finish(self, *, now: bool) -> None:
        """Wait until sessions in flight have ended and all is written; with `now`, stop first."""
        if now and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            exit_code = self._process.wait(DRAIN_NOW_S if now else self._patience_s + MARGIN_S)
        except subprocess.TimeoutExpired as error:
            raise self._broken("did not end after the last arrivals") from error
        if exit_code != 0:
            raise self._broken("failed")

    def order(self, order: bytes) -> None:
        """Hand over the order and wait until it is ready."""
        self._write(order)
        give_up_s = time.monotonic() + READY_BOUND_S
        assert self._process.stdout is not None, "opened as a pipe"
        while time.monotonic() < give_up_s and self._process.poll() is None:
            readable, _, _ = select.select([self._process.stdout], [], [], 0.1)
            if readable and self._process.stdout.readline().strip() == b"ready":
                return
        raise self._broken("did not get ready")

    def end(self) -> None:
        """End it at once, if it is still there."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _say(self, message: dict[str, float]) -> None:
        self._write(msgspec.json.encode(message))

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
def generator(
    order: bytes,
    *,
    run_id: str,
    logs: Path,
    patience_s: float,
    command: tuple[str, ...] = (sys.executable, "-m", "scenarios"),
) -> Iterator[Generator]:
    """Start the generator with its order and yield it when it is ready to begin.

    The order is one line of JSON, see `scenarios.order`; `patience_s` is how long after the last
    arrival a session may still go on.
    """
    program = Program(
        component="traffic",
        command=command,
        home=logs,
        log=logs / "traffic.log",
    )
    process = spawn(program, run_id=run_id, talk=True)
    running = Generator(process, program.log, patience_s)
    try:
        running.order(order)
        yield running
    finally:
        running.end()
