"""The master of traffic that is shared out: gathers workers, begins with all, waits for all.

`python -m scenarios.distribution.master`, told what to do by two lines on standard input, as the
traffic process without workers is; on standard output it tells what happens (`doorbuster.news`).

Exit codes: 0 the traffic is over (or never began), 3 a worker was lost, 4 something failed.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import gevent
import gevent.queue
import locust
import msgspec
from gevent.socket import wait_read
from locust.env import Environment

from doorbuster.errors import DoorbusterError, MissingPrerequisite
from doorbuster.news import LOST_EXIT_CODE, News
from scenarios.director import Line
from scenarios.distribution.crew import Crew
from scenarios.distribution.enclosures import Enclosures
from scenarios.distribution.messages import Post, hasten_heartbeats
from scenarios.driver import Driver
from scenarios.order import CrewOrder, StartSignal, decoded

LOOK_EVERY_S: Final = 0.1


def main() -> int:
    try:
        return Master(Line()).serve()
    except DoorbusterError as error:
        sys.stderr.write(f"traffic: {error}\n")
        return DoorbusterError.exit_code
    except Exception:  # noqa: BLE001  # Python would exit with 1, which means a failed budget
        traceback.print_exc()
        return DoorbusterError.exit_code


class Master:
    """One run of the master, to the end of its workers."""

    def __init__(self, director: Line) -> None:
        self._director = director
        self._stopped = False
        self._lines: gevent.queue.Queue[bytes] = gevent.queue.Queue()

    def serve(self) -> int:
        """Act on the lines of standard input; either may never come, which is no failure."""
        gevent.signal_handler(signal.SIGTERM, self._stop)
        gevent.spawn(self._read_lines)
        if not (line := self._lines.get()):
            return 0
        crew = enlist(decoded(line, CrewOrder), self._tell)
        try:
            return self._lead(crew)
        except DoorbusterError:
            crew.halt()
            raise
        finally:
            crew.close()
            crew.runner.quit()
            # Words for a host that has gone would keep this process from ending.
            crew.runner.server.close(linger=0)  # type: ignore[no-untyped-call]

    def _lead(self, crew: Crew) -> int:
        self._attend(crew, until=lambda: crew.is_ready)
        if not self._stopped:
            self._director.tell(b"ready")
            self._attend(crew, until=lambda: not self._lines.empty())
        line = b"" if self._stopped else self._lines.get()
        if not line:
            crew.halt()
            return 0
        crew.begin(decoded(line, StartSignal).zero_monotonic_s)
        workers = crew.order.workers
        spawning = gevent.spawn(crew.runner.start, workers, spawn_rate=workers)
        self._attend(crew, until=lambda: self._stopped or crew.lost > 0 or crew.is_over)
        spawning.get()
        crew.halt()
        while not crew.is_over:
            self._listen(crew)
        return LOST_EXIT_CODE if crew.lost else 0

    def _attend(self, crew: Crew, *, until: Callable[[], bool]) -> None:
        """Listen to the workers until something is so, or somebody stops the traffic."""
        while not until() and not self._stopped:
            self._listen(crew)

    def _listen(self, crew: Crew) -> None:
        with suppress(gevent.queue.Empty):
            crew.hear(crew.post.inbox.get(timeout=LOOK_EVERY_S))
        if crew.is_ready:
            crew.look_for_lost()

    def _tell(self, news: News) -> None:
        self._director.tell(msgspec.json.encode(news))

    def _stop(self) -> None:
        self._stopped = True

    def _read_lines(self) -> None:
        """Put the lines of standard input, then an empty one, where waiting stops no heartbeat."""
        rest = b""
        descriptor = sys.stdin.fileno()
        while True:
            wait_read(descriptor)
            received = os.read(descriptor, 1 << 16)
            *lines, rest = (rest + received).split(b"\n")
            for line in lines:
                self._lines.put(line)
            if not received:
                self._lines.put(b"")
                return


def enlist(order: CrewOrder, tell: Callable[[News], None]) -> Crew:
    """Open the port that workers connect to, and say which."""
    hasten_heartbeats()
    enclosures = Enclosures(order.order) if order.elsewhere else None
    driver = type("Driver", (Driver,), {"fixed_count": 0})
    environment = Environment(user_classes=[driver], events=locust.events)
    try:
        runner = environment.create_master_runner(order.host, order.port)
    except SystemExit as taken:
        raise MissingPrerequisite(
            f"cannot listen for workers on {order.host}:{order.port}, which is taken"
        ) from taken
    crew = Crew(order, runner, Post(runner), tell, enclosures)
    tell(News("listening", port=runner.server.port))
    return crew


if __name__ == "__main__":
    sys.exit(main())
