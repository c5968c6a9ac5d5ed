"""The waiting room of one replica; what it knows is in Redis, in its tickets, and nowhere else."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from prometheus_client import CollectorRegistry

from target_app.redis.client import Failed, Redis
from target_app.sealing import BrokenSealError, sealed, unsealed
from target_app.signatures import sign
from target_app.waiting.figures import RoomFigures
from target_app.waiting.scripts import COUNT, IN_LINE, INSIDE, JOIN, KEYS, LEAVE, POLL
from target_app.waiting.tickets import Admission, Ticket, drawn_place, instant

KEPT_S = 86400
"""How long Redis keeps a line after the last who joined."""

Leaving = Literal["checked_out", "sold_out", "gave_up"]


@dataclass(frozen=True)
class RoomLimits:
    """How fast and how far the room lets in.

    Attributes:
        rate_per_s: Admissions a second; at most one second's worth at once.
        active_max: Admitted shoppers who have not checked out, over all replicas.
        lease_s: How long an admission lasts.
    """

    rate_per_s: float
    active_max: int
    lease_s: float


@dataclass(frozen=True)
class Door:
    """What a sale is doing: when it opens, and whether anybody is to be let in once it has."""

    campaign: str
    opens_us: int
    is_halted: bool = False


@dataclass(frozen=True)
class Standing:
    """Where a ticket stands.

    Attributes:
        status: `early` asked again too soon, `gone` has lost or used its place.
        position: From 1 in the line; None before T0, when nobody has one, and for the admitted.
        until: When to ask again; for the admitted, the end of the lease.
    """

    ticket: Ticket
    status: Literal["waiting", "admitted", "early", "gone"]
    position: int | None
    eta_s: float
    until: datetime
    until_us: int


class WaitingRoom:
    """Draws tickets, says where they stand, and seals admissions."""

    def __init__(
        self,
        redis: Redis,
        limits: RoomLimits,
        *,
        secret: str,
        seed: str,
        registry: CollectorRegistry,
    ) -> None:
        self.figures = RoomFigures(registry)
        self.limits = limits
        self._redis = redis
        self._ticket_secret = sign(b"tickets", secret)
        self._admission_secret = sign(b"admissions", secret)
        self._seed = seed

    async def join(self, door: Door, customer: str, *, sku: str | None) -> Standing | Failed:
        """Give `customer` a place, the same as before while they have one."""
        id_ = secrets.token_hex(8)
        drawn = drawn_place(customer, opens_us=door.opens_us, seed=self._seed)
        found = await self._run(JOIN, door, id_, customer, drawn, KEPT_S)
        if isinstance(found, Failed):
            return found
        ticket = Ticket(
            id=found[4],
            customer=customer,
            campaign=door.campaign,
            opens_us=door.opens_us,
            joined_us=int(found[5]),
            sku=sku,
        )
        self.figures.joined.inc(ticket.id == id_)
        return _standing(ticket, found)

    async def poll(self, door: Door, ticket: Ticket) -> Standing | Failed:
        """Say where `ticket` stands; it is of the sale at `door`."""
        place = ticket.place(seed=self._seed)
        found = await self._run(POLL, door, ticket.id, ticket.customer, place, ticket.joined_us)
        return found if isinstance(found, Failed) else _standing(ticket, found)

    async def leave(self, held: Ticket | Admission, *, how: Leaving) -> bool:
        """Give a place back and tell whether it was one inside.

        Without Redis it ends by itself, with the lease or in silence.
        """
        found = await self._redis.run(LEAVE, _keys(held.campaign, held.opens_us), held.id)
        if found in (IN_LINE, INSIDE):
            self.figures.left.labels(how).inc()
        return bool(found == INSIDE)

    async def empty(self, door: Door) -> None:
        """Forget everybody who waits for a sale that begins anew."""
        keys = _keys(door.campaign, door.opens_us)
        await self._redis.ask(lambda client: client.delete(*keys))

    async def count(self, door: Door) -> None:
        """Bring the figures of the line up to date; without an answer they are not known."""
        found = await self._redis.run(COUNT, _keys(door.campaign, door.opens_us))
        self.figures.show(None if isinstance(found, Failed) else found)

    def ticket_text(self, ticket: Ticket) -> str:
        return sealed(ticket, secret=self._ticket_secret)

    def ticket_in(self, text: str) -> Ticket | None:
        """Return the ticket that `text` is, None if this shop never gave it out."""
        try:
            return unsealed(text, Ticket, secret=self._ticket_secret)
        except BrokenSealError:
            return None

    def admission_text(self, standing: Standing) -> str:
        ticket = standing.ticket
        admission = Admission(
            ticket.id, ticket.customer, ticket.campaign, ticket.opens_us, standing.until_us
        )
        return sealed(admission, secret=self._admission_secret)

    def admission_in(self, text: str) -> Admission | None:
        """Return the admission that `text` is, expired or not; None if it is none of ours."""
        try:
            return unsealed(text, Admission, secret=self._admission_secret)
        except BrokenSealError:
            return None

    async def _run(self, script: str, door: Door, *arguments: str | int) -> list[Any] | Failed:
        limits = self.limits
        found: list[Any] | Failed = await self._redis.run(
            script,
            _keys(door.campaign, door.opens_us),
            door.opens_us,
            int(door.is_halted),
            repr(limits.rate_per_s),
            limits.active_max,
            round(limits.lease_s * 1e6),
            *arguments,
        )
        if not isinstance(found, Failed):
            called, admitted, absent, lapsed = found[6:]
            self.figures.called.inc(called)
            self.figures.admitted.inc(admitted)
            self.figures.left.labels("absent").inc(absent)
            self.figures.left.labels("lapsed").inc(lapsed)
        return found


def _keys(campaign: str, opens_us: int) -> list[str]:
    """Return where the line of a sale is; the braces keep it on one node of a cluster."""
    return [f"{{room:{campaign}:{opens_us}}}:{key}" for key in KEYS]


def _standing(ticket: Ticket, found: Sequence[Any]) -> Standing:
    status, position, eta_ms, until_us = found[:4]
    return Standing(
        ticket=ticket,
        status=status,
        position=position or None,
        eta_s=eta_ms / 1000,
        until=instant(int(until_us)),
        until_us=int(until_us),
    )
