"""The director's side of the watchdog: starts it, renews its lease, tells it when all is done."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from chaos.pledge import Pledge
from chaos.watchdog import Word
from doorbuster.components import RUN_MARK
from doorbuster.errors import DoorbusterError

SOURCES = Path(__file__).parents[1]
END_BOUND_S = 60.0


class WatchdogDied(DoorbusterError):
    """It has ended before its time, and hears nothing more."""


class Watchdog:
    """A watchdog that runs; as a context manager, it sweeps when the body ends with an exception.

    An exception may well be a clean-up that failed, so the second pair of hands gets its turn.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._undo_s = 0.0
        self._deaf = False
        assert process.stdin is not None
        # One that is stopped reads nothing, and we must not wait with it once its pipe is full.
        os.set_blocking(process.stdin.fileno(), False)

    @classmethod
    def start(
        cls,
        run_id: str,
        *,
        journal: Path,
        log: Path = Path(os.devnull),
        lease_s: float = 60.0,
        proxy_api: str | None = None,
    ) -> Self:
        """Start the watchdog of a run, before anything else of the run is started.

        It must outlive us, so it gets a session of its own, and it must not be swept by itself,
        so it does not carry the run's mark and does not work in the run's folder.
        """
        environment = {name: value for name, value in os.environ.items() if name != RUN_MARK}
        with log.open("ab") as output:
            process = subprocess.Popen(
                (sys.executable, "-P", "-m", "chaos.watchdog"),
                bufsize=0,
                cwd="/",
                env=environment | {"PYTHONPATH": str(SOURCES)},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        watchdog = cls(process)
        told = Word(
            run_id,
            str(journal.resolve()),
            proxy_api=proxy_api,
            folder=str(Path.cwd()),
            lease_s=lease_s,
        )
        watchdog._say(told)
        return watchdog

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.done()
        else:
            self._hang_up()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None and not self._deaf

    @property
    def has_swept(self) -> bool:
        """Whether it took us for hung, and has ended the run without us."""
        return self._process.poll() == 0

    def renew(self, for_s: float) -> None:
        """Ask not to be taken for hung during the next `for_s` seconds.

        One that has died hears nothing and takes nobody for hung; faults are lifted all the same.
        Whether it lives is for `alive` to say.
        """
        with suppress(WatchdogDied):
            self._say(Word(lease_s=for_s))

    def use_proxy(self, url: str) -> None:
        """Name a Toxiproxy that the run uses and did not start."""
        self._say(Word(proxy_api=url))

    def use_sweeper(self, command: tuple[str, ...]) -> None:
        """Name a command that removes what is neither process nor folder of this machine.

        It gets the run's id as its last argument, and says on stderr what would not go.
        """
        self._say(Word(sweeper=command))

    def use_undo(self, pledges: Mapping[str, Pledge]) -> None:
        """Name all that ends faults which would outlive us, by the faults' names."""
        self._undo_s = sum(pledge.bound_s for pledge in pledges.values())
        self._say(Word(undo=dict(pledges)))

    def done(self) -> None:
        """Say that the run ended in order, and see the watchdog end."""
        if self.alive:
            self._say(Word(done=True))
        self._hang_up()

    def _say(self, word: Word) -> None:
        assert self._process.stdin is not None
        line = msgspec.json.encode(word) + b"\n"
        try:
            self._deaf = self._process.stdin.write(line) != len(line)
        except BrokenPipeError:
            raise WatchdogDied(
                f"the watchdog died ({self._process.wait()}): nobody would clean up after this run"
            ) from None
        if self._deaf:
            raise WatchdogDied("the watchdog hears nothing: nobody would clean up after this run")

    def _hang_up(self) -> None:
        """Close the pipe and wait; a watchdog that was not told of the end now sweeps."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        bound_s = 0.0 if self._deaf else END_BOUND_S + self._undo_s
        try:
            self._process.wait(bound_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise DoorbusterError(f"the watchdog did not end within {bound_s:g} s") from None
