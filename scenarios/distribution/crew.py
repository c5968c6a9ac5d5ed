"""The workers of one run as their master knows them, from their hello to their farewell."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from locust.runners import STATE_INIT, STATE_MISSING, MasterRunner
from msgspec.structs import replace

from doorbuster.errors import DoorbusterError
from doorbuster.news import News
from doorbuster.rundir import RunDirectory
from scenarios.distribution.build import build
from scenarios.distribution.enclosures import Enclosures
from scenarios.distribution.messages import (
    BEATS_MISSED,
    Answered,
    Asked,
    Begin,
    Enclosure,
    Farewell,
    Halt,
    Hello,
    Letter,
    Ordered,
    Piece,
    Post,
    Ready,
    Refusal,
    Unable,
    Wanted,
)
from scenarios.distribution.shipping import Homecoming
from scenarios.order import CrewOrder
from scenarios.recording import files_of


@dataclass
class Member:
    """One worker that was given a stripe."""

    index: int
    hello: Hello
    ready: bool = False
    gone: bool = False

    def __str__(self) -> str:
        return f"worker {self.index} ({self.hello.host}, process {self.hello.pid})"


@dataclass
class Crew:
    """Who is here, who is ready, who has ended and how.

    What a worker does to the run is told as news; a failure of one is raised.
    """

    order: CrewOrder
    runner: MasterRunner
    post: Post
    tell: Callable[[News], None]
    enclosures: Enclosures | None
    members: dict[str, Member] = field(default_factory=dict)
    lost: int = 0
    _home: dict[str, Homecoming] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        ready = sum(member.ready for member in self.members.values())
        return ready == self.order.workers

    @property
    def is_over(self) -> bool:
        return all(member.gone for member in self.members.values())

    def begin(self, zero_monotonic_s: float) -> None:
        """Tell everybody when second 0 is, and send strangers to Locust away."""
        for client in set(self.runner.clients) - set(self.members):
            self._send_away(client, "it never said hello")
        for client in self.members:
            self.post.send(Begin(zero_monotonic_s), to=client)

    def halt(self) -> None:
        """Let nobody else arrive."""
        for client, member in self.members.items():
            if not member.gone:
                self.post.send(Halt(), to=client)

    def hear(self, letter: Letter) -> None:
        """Take in what a worker says."""
        sender, member = letter.sender, self.members.get(letter.sender)
        match letter.message:
            case Hello() as hello:
                self._welcome(sender, hello)
            case Wanted(number=number, offset=offset) if member and self.enclosures:
                self.post.send(Enclosure(self.enclosures.piece(number, offset)), to=sender)
            case Asked(asked_s=asked_s):
                self.post.send(Answered(asked_s, time.monotonic()), to=sender)
            case Unable(reason=reason):
                self._give_up_on(sender, reason)
            case Ready() as ready if member:
                self._count_in(sender, member, ready)
            case Piece() as piece if member:
                self._home[sender].add(piece)
            case Farewell() as farewell if member:
                self._see_off(member, farewell)
            case stray:
                self._send_away(sender, f"a {type(stray).__name__} was not expected of it")

    def look_for_lost(self) -> None:
        """Notice who has not been heard of for too long."""
        for client, member in self.members.items():
            node = self.runner.clients.get(client)
            if member.gone or (node is not None and node.state != STATE_MISSING):
                continue
            self._lose(member, f"{member} was lost: nothing was heard of it any more", kept=False)

    def close(self) -> None:
        for home in self._home.values():
            home.close()

    def _welcome(self, sender: str, hello: Hello) -> None:
        taken = {member.index for member in self.members.values()}
        free = sorted(set(range(self.order.workers)) - taken)
        if hello.build != build():
            self._refuse(sender, hello, f"it is {hello.build}, this rehearsal is {build()}")
        elif not free:
            self._refuse(sender, hello, f"this rehearsal has its {self.order.workers} workers")
        else:
            member = self.members[sender] = Member(free[0], hello)
            order = replace(self.order.order, index=member.index, count=self.order.workers)
            if self.order.elsewhere:
                run = RunDirectory(Path(order.run_dir))
                self._home[sender] = Homecoming(files_of(run, member.index))
            enclosed = self.enclosures.listed if self.enclosures else ()
            self.post.send(Ordered(order, enclosed), to=sender)

    def _count_in(self, sender: str, member: Member, ready: Ready) -> None:
        """Let a worker take part, which Locust may have missed while it was busy preparing."""
        node = self.runner.clients[sender]
        node.state, node.heartbeat = STATE_INIT, BEATS_MISSED
        member.ready = True
        self.tell(_joined(member, ready))

    def _refuse(self, sender: str, hello: Hello, reason: str) -> None:
        self.tell(News("refused", host=hello.host, pid=hello.pid, message=reason))
        self._send_away(sender, reason)

    def _send_away(self, sender: str, reason: str) -> None:
        """Have Locust forget a worker too, else it is given a user to drive."""
        self.post.send(Refusal(reason), to=sender)
        self.runner.clients.pop(sender, None)

    def _give_up_on(self, sender: str, reason: str) -> None:
        """Free the stripe of a worker that cannot do it, for another one to take."""
        member = self.members.pop(sender, None)
        self.runner.clients.pop(sender, None)
        if member is not None:
            if sender in self._home:
                self._home.pop(sender).close()
            hello = member.hello
            self.tell(News("refused", host=hello.host, pid=hello.pid, message=reason))

    def _see_off(self, member: Member, farewell: Farewell) -> None:
        member.gone = True
        if farewell.how == "failed":
            raise DoorbusterError(f"{member} failed: {farewell.message}")
        if farewell.how == "left":
            self._lose(member, f"{member} left: {farewell.message}", kept=True)
        if farewell.offset_s is not None and self.order.elsewhere:
            self.tell(
                News(
                    "clock",
                    worker=member.index,
                    offset_s=round(farewell.offset_s, 6),
                    uncertainty_s=round(farewell.uncertainty_s or 0.0, 6),
                )
            )

    def _lose(self, member: Member, message: str, *, kept: bool) -> None:
        member.gone = True
        self.lost += 1
        kept = kept or not self.order.elsewhere
        self.tell(News("lost", worker=member.index, kept=kept, message=message))


def _joined(member: Member, ready: Ready) -> News:
    return News(
        "joined",
        worker=member.index,
        host=member.hello.host,
        pid=member.hello.pid,
        python=member.hello.python,
        offset_s=round(ready.offset_s, 6),
        uncertainty_s=round(ready.uncertainty_s, 6),
    )
