"""What a master and its workers say to each other, over Locust's own connection.

A worker says `Hello` and is sent its `TrafficOrder` or a `Refusal`. It compares clocks (`Asked`,
`Answered`), fetches the files that the order names (`Wanted`, `Enclosure`) and is `Ready`, or
`Unable`. `Begin` tells it when second 0 is, `Halt` to let nobody else arrive. `Piece` brings home
what it wrote, `Farewell` is its last word.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import gevent.queue
import locust.runners
import msgspec
from locust.runners import DistributedRunner

from doorbuster.errors import DoorbusterError
from scenarios.order import TrafficOrder
from scenarios.order_files import Enclosed

HEARTBEAT_S: Final = 0.25
BEATS_MISSED: Final = 8
"""Silent for longer than this many heartbeats, a worker is lost: at most 2.5 s after its last."""


class Message(msgspec.Struct, frozen=True):
    """Something said; who said it is known from the connection."""


class Hello(Message, frozen=True):
    """A worker's introduction."""

    build: str
    host: str
    pid: int
    python: str


class Ordered(Message, frozen=True):
    """What a worker is to do, and the files that it has to fetch for it."""

    order: TrafficOrder
    enclosed: tuple[Enclosed, ...] = ()


class Wanted(Message, frozen=True):
    """A worker asks for a piece of one of the files; `number` is its place in `Ordered`."""

    number: int
    offset: int


class Enclosure(Message, frozen=True):
    """A piece of the file that was asked for."""

    content: bytes


class Refusal(Message, frozen=True):
    """The master cannot use this worker."""

    reason: str


class Asked(Message, frozen=True):
    """A worker asks for the master's time."""

    asked_s: float


class Answered(Message, frozen=True):
    """The master's monotonic clock, and the question that it answers."""

    asked_s: float
    answered_s: float


class Ready(Message, frozen=True):
    """The worker could begin; its clock's offset to the master's."""

    offset_s: float
    uncertainty_s: float


class Unable(Message, frozen=True):
    """The worker cannot do what it was ordered to do."""

    reason: str


class Begin(Message, frozen=True):
    """Second 0 of the run by the master's monotonic clock."""

    zero_monotonic_s: float


class Halt(Message, frozen=True):
    """No more arrivals; those in flight have a moment left."""


class Piece(Message, frozen=True):
    """What one of the worker's files grew by; `number` is its place in `Recording`'s files."""

    number: int
    content: bytes


class Farewell(Message, frozen=True):
    """How the worker ended, and its clock's offset by then."""

    how: Literal["finished", "failed", "left"]
    message: str = ""
    offset_s: float | None = None
    uncertainty_s: float | None = None


KINDS: Final = (
    Hello, Ordered, Refusal, Asked, Answered, Wanted, Enclosure, Ready, Unable, Begin, Halt, Piece,
    Farewell,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Letter:
    """A message with its sender, as Locust names it."""

    sender: str
    message: Message


class Post:
    """Sends messages, and keeps those that come until they are read.

    Locust logs and swallows what its listeners raise, so they only put messages here.
    """

    def __init__(self, runner: DistributedRunner) -> None:
        self._runner = runner
        self.inbox: gevent.queue.Queue[Letter] = gevent.queue.Queue()
        for kind in KINDS:
            runner.register_message(name_of(kind), self._keeper(kind))

    def send(self, message: Message, to: str | None = None) -> None:
        """Send a message: a worker to its master, the master to one worker or to all."""
        content = msgspec.to_builtins(message, builtin_types=(bytes,))
        self._runner.send_message(name_of(type(message)), content, client_id=to)

    def _keeper(self, kind: type[Message]) -> Any:
        def keep(msg: Any, **_: object) -> None:
            try:
                message = msgspec.convert(msg.data, kind, builtin_types=(bytes,))
            except msgspec.ValidationError as error:
                message = Unable(f"a {kind.__name__} that is none ({error})")
            self.inbox.put(Letter(msg.node_id, message))

        return keep


def name_of(kind: type[Message]) -> str:
    return f"doorbuster.{kind.__name__.lower()}"


def hasten_heartbeats() -> None:
    """Have Locust notice within 3 s that the other side has gone; by itself it takes up to 5.

    A worker that prepares a long plan is silent for a while, and must not be forgotten meanwhile.
    """
    locust.runners.HEARTBEAT_INTERVAL = HEARTBEAT_S  # type: ignore[assignment]
    locust.runners.HEARTBEAT_LIVENESS = BEATS_MISSED
    locust.runners.HEARTBEAT_DEAD_INTERNAL = -1_000_000
    locust.runners.WORKER_LOG_REPORT_INTERVAL = -1


def require_address(text: str) -> tuple[str, int]:
    """Split `HOST:PORT`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise DoorbusterError(f"{text!r}: expected HOST:PORT, such as 127.0.0.1:5557")
    return host, int(port)
