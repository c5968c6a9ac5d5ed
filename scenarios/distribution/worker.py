"""One traffic worker: joins a master, drives its stripe of the arrivals, and says farewell.

`python -m scenarios.distribution.worker HOST:PORT WITHIN_S` on the director's host, where the run
directory is; with a folder as third argument it writes there, and sends home what it writes.

Exit codes: 0 done, or not needed any more; 2 refused; 4 failed.
"""

import os
import platform
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final, TypeVar

import gevent
import gevent.queue
import locust
import locust.log
from locust.runners import WorkerRunner
from msgspec.structs import replace

from doorbuster.errors import DoorbusterError
from doorbuster.rundir import RunDirectory
from scenarios.distribution.build import build
from scenarios.distribution.clocks import Offset, RoundTrip, offset_of
from scenarios.distribution.enclosures import unpack
from scenarios.distribution.joining import Baton, join
from scenarios.distribution.messages import (
    Answered,
    Asked,
    Begin,
    Enclosure,
    Farewell,
    Halt,
    Hello,
    Message,
    Ordered,
    Post,
    Ready,
    Refusal,
    Unable,
    Wanted,
    require_address,
)
from scenarios.distribution.shipping import Shipping
from scenarios.driver import (
    STARTS_WITHIN_S,
    fire_request,
    keep_counting,
    require_sound_listeners,
)
from scenarios.order import TrafficOrder
from scenarios.order_files import Enclosed
from scenarios.recording import files_of
from scenarios.traffic import Traffic

ANSWER_WITHIN_S: Final = 30.0
"""The longest wait for any word of the master but `Begin`, which comes when all are ready."""

SILENCE_S: Final = 5
CLOCK_ROUNDS: Final = 15
REACH_WITHIN_S: Final = 5.0

Expected = TypeVar("Expected", bound=Message)


class Refused(DoorbusterError):
    """The master has no use for this worker, or this worker cannot do what it is to do."""

    exit_code: ClassVar[int] = 2


class Dismissed(Exception):
    """The master ended before there was anything to do."""


class Left(Exception):
    """Somebody ended this worker before its time."""


def main(arguments: list[str]) -> int:
    address, within_s, *folder = arguments
    try:
        host, port = require_address(address)
        runner, baton = join(host, port, within_s=float(within_s))
        try:
            return Worker(runner, baton, Path(folder[0]) if folder else None).serve()
        finally:
            # Locust's own loop reads a closed connection again and again, so it ends first. What
            # was said last may still be on its way; a master that has gone holds up nobody.
            runner.greenlet.kill()
            runner.client.close(linger=2000)  # type: ignore[no-untyped-call]
    except DoorbusterError as error:
        sys.stderr.write(f"worker: {error}\n")
        return error.exit_code
    except Exception:  # noqa: BLE001  # Python would exit with 1, which means a failed budget
        traceback.print_exc()
        return DoorbusterError.exit_code


class Worker:
    """One run of a worker that has found its master."""

    def __init__(self, runner: WorkerRunner, baton: Baton, folder: Path | None) -> None:
        self._runner = runner
        self._baton = baton
        self._folder = folder
        self._post = Post(runner)
        self._beats = 0
        self._begun = False
        locust.events.heartbeat_received.add_listener(self._count_beat)  # type: ignore[no-untyped-call]

    def serve(self) -> int:
        """Do what the master says, to the end, and tell it how that came."""
        me = gevent.getcurrent()
        gevent.signal_handler(signal.SIGTERM, gevent.kill, me, Left())
        with helping(self._listen_for_beats, me):
            try:
                farewell = self._work()
            except Dismissed:
                say("the rehearsal ended before it began")
                return 0
            except Left:
                self._post.send(Farewell("left", "it was ended by hand"))
                return 0
            except Refused as error:
                self._post.send(Unable(str(error)))
                raise
            except Exception as error:
                self._post.send(Farewell("failed", f"{type(error).__name__}: {error}"))
                raise
            self._post.send(farewell)
            self._runner.greenlet.join(ANSWER_WITHIN_S)  # the master's `quit` ends them
        return 0

    def _work(self) -> Farewell:
        me = Hello(build(), socket.gethostname(), os.getpid(), platform.python_version())
        self._post.send(me)
        ordered = self._expect(Ordered)
        order = self._at_home(ordered.order)
        clock = self._compare_clocks()
        try:
            with self._unpacked(ordered.enclosed, order) as unpacked:
                traffic = Traffic(unpacked, fire_request)
            traffic.require_shop(within_s=REACH_WITHIN_S)
        except DoorbusterError as error:
            raise Refused(str(error)) from error
        self._post.send(Ready(clock.offset_s, clock.uncertainty_s))
        say(
            f"ready as worker {order.index} of {order.count}; clocks are {clock.offset_s:.6f} s "
            f"apart, give or take {clock.uncertainty_s:.6f} s"
        )
        begin = self._expect(Begin, within_s=None)
        self._begun = True
        with self._shipping(order):
            self._baton.hand_over(traffic.prepare(begin.zero_monotonic_s - clock.offset_s))
            self._drive(traffic)
        clock = self._compare_clocks()
        say("done")
        return Farewell("finished", "", clock.offset_s, clock.uncertainty_s)

    def _at_home(self, order: TrafficOrder) -> TrafficOrder:
        """Have what comes of the order written to our own folder, where there is one."""
        if self._folder is None:
            return order
        run = RunDirectory(self._folder / "run")
        run.create()
        return replace(order, run_dir=str(run.path))

    @contextmanager
    def _unpacked(
        self, enclosed: Sequence[Enclosed], order: TrafficOrder
    ) -> Iterator[TrafficOrder]:
        """Have the files that the order names here, for as long as it takes to read them."""
        if self._folder is None or not enclosed:
            yield order
            return
        with tempfile.TemporaryDirectory(prefix="files-", dir=self._folder) as files:
            unpacked = unpack(enclosed, order, into=Path(files), fetch=self._fetch)
            say(f"was handed {', '.join(Path(file.path).name for file in enclosed)}")
            yield unpacked

    def _fetch(self, number: int, offset: int) -> bytes:
        self._post.send(Wanted(number, offset))
        return self._expect(Enclosure).content

    def _drive(self, traffic: Traffic) -> None:
        """Wait for the traffic to end; the master can halt it before its time."""
        with helping(self._heed_halt, traffic), helping(keep_counting, self._baton.stats):
            try:
                if not self._baton.started.wait(STARTS_WITHIN_S):
                    raise DoorbusterError(
                        f"Locust did not start its user within {STARTS_WITHIN_S:g} s"
                    )
                self._baton.traffic.get()
            finally:
                self._baton.traffic.kill()
        require_sound_listeners()

    @contextmanager
    def _shipping(self, order: TrafficOrder) -> Iterator[None]:
        """Send home what is written meanwhile; all of it has left when this returns."""
        if self._folder is None:
            yield
            return
        files = files_of(RunDirectory(Path(order.run_dir)), order.index)
        shipping = Shipping(files, self._post.send)
        try:
            with helping(shipping.ship_forever):
                yield
        finally:
            shipping.ship()

    def _compare_clocks(self) -> Offset:
        """Compare our clock with the master's, which on one host are the same."""
        if self._folder is None:
            return Offset(0.0, 0.0)
        trips = []
        for _ in range(CLOCK_ROUNDS):
            asked_s = time.monotonic()
            self._post.send(Asked(asked_s))
            answer = self._expect(Answered)
            trips.append(RoundTrip(asked_s, answer.answered_s, time.monotonic()))
        return offset_of(trips)

    def _expect(
        self, kind: type[Expected], *, within_s: float | None = ANSWER_WITHIN_S
    ) -> Expected:
        """Return the next message of a kind; a refusal or a halt before it is an exception."""
        while True:
            try:
                message = self._post.inbox.get(timeout=within_s).message
            except gevent.queue.Empty as error:
                raise DoorbusterError(f"the master did not answer within {within_s:g} s") from error
            if isinstance(message, kind):
                return message
            if isinstance(message, Refusal):
                raise Refused(f"refused: {message.reason}")
            if isinstance(message, Halt) and not self._begun:
                raise Dismissed

    def _heed_halt(self, traffic: Traffic) -> None:
        while not isinstance(self._post.inbox.get().message, Halt):
            pass
        traffic.stop()

    def _count_beat(self, **_: object) -> None:
        self._beats += 1

    def _listen_for_beats(self, me: gevent.Greenlet) -> None:
        """End this worker when its master has been silent for too long.

        Counted in looks and not by the clock: while this process was busy, it heard nothing.
        """
        silent = 0
        while silent < SILENCE_S:
            gevent.sleep(1)
            silent = 0 if self._beats else silent + 1
            self._beats = 0
        lost = DoorbusterError(f"nothing was heard of the rehearsal for {SILENCE_S} s: it has gone")
        gevent.kill(me, lost)


@contextmanager
def helping(work: Callable[..., object], *arguments: object) -> Iterator[None]:
    """Have a greenlet do something meanwhile; if that fails, so do we."""
    me = gevent.getcurrent()
    helper = gevent.spawn(work, *arguments)
    helper.link_exception(lambda failed: gevent.kill(me, failed.exception))
    try:
        yield
    finally:
        helper.kill()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
