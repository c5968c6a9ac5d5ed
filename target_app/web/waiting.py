"""The waiting room over HTTP: take a ticket, ask where it stands, give it up."""

import math
from datetime import UTC, datetime
from typing import Any, NoReturn

import msgspec
from fastapi import APIRouter, Request, Response

from target_app.catalogue import CAMPAIGN, Snapshot
from target_app.database.pool import UnavailableError
from target_app.instants import rfc3339
from target_app.members.people import Customer
from target_app.pricing.rules import Label
from target_app.problems import ProblemError, parse, reply
from target_app.redis.client import Failed
from target_app.shop import Shop
from target_app.waiting.admitting import dismiss, give_up
from target_app.waiting.room import Door, Standing, WaitingRoom
from target_app.waiting.tickets import Ticket, since_1970_us
from target_app.web.contract import problems, takes
from target_app.web.requests import shop_of

UNAVAILABLE_RETRY_S = 2

router = APIRouter(
    prefix="/v1/queue",
    tags=["waiting room"],
    responses=problems(404, 409, 410, 429, 500, 503),
)
WAITING: dict[int | str, dict[str, Any]] = {
    202: {"description": "In the line; ask again at `poll_after`"}
}


class Joining(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who waits, and for what: they are told when that is sold out, without it when all is."""

    customer: Customer
    sku: Label | None = None


@router.post(
    "/{campaign_id}/tickets",
    openapi_extra=takes(Joining),
    responses=WAITING | problems(422),
)
async def join(request: Request, campaign_id: str) -> Response:
    """Take a place in the line, or return to the one that this customer has."""
    shop = shop_of(request)
    room = _room_of(shop)
    wish = parse(await request.body(), Joining)
    snapshot = await _sale(shop, campaign_id)
    if wish.sku is not None and wish.sku not in snapshot.products:
        raise ProblemError(404, "unknown_sku", details={"sku": wish.sku})
    if _is_sold_out(snapshot, wish.sku):
        _refuse_sold_out(wish.sku)
    standing = await room.join(_door(snapshot), wish.customer, sku=wish.sku)
    return _told(room, standing)


@router.get("/tickets/{ticket_id}", responses=WAITING)
async def poll(request: Request, ticket_id: str) -> Response:
    """Say where a ticket stands; 200 with an admission token once it is its turn."""
    shop = shop_of(request)
    room = _room_of(shop)
    ticket = _ticket(room, ticket_id)
    snapshot = await _sale(shop, ticket.campaign)
    door = _door(snapshot)
    if ticket.opens_us != door.opens_us:
        raise ProblemError(410, "position_expired", details={"reason": "other_sale"})
    if _is_sold_out(snapshot, ticket.sku):
        await dismiss(shop.database, room, ticket)
        _refuse_sold_out(ticket.sku)
    return _told(room, await room.poll(door, ticket))


@router.delete("/tickets/{ticket_id}")
async def leave(request: Request, ticket_id: str) -> Response:
    """Give a place up, and the admission it may have led to. Twice is the same as once."""
    shop = shop_of(request)
    room = _room_of(shop)
    await give_up(shop.database, room, _ticket(room, ticket_id), how="gave_up")
    return reply({"ticket_id": ticket_id, "status": "given_up"})


async def empty_room(shop: Shop, starts_at: datetime) -> None:
    if shop.room is not None:
        await shop.room.empty(Door(CAMPAIGN, since_1970_us(starts_at)))


async def count_room(shop: Shop) -> None:
    """Bring the waiting room's figures up to date, if there is a sale to wait for."""
    if shop.room is None:
        return
    try:
        snapshot = await shop.catalogue.snapshot()
    except UnavailableError:
        return
    if snapshot.starts_at is not None:
        await shop.room.count(_door(snapshot))


def _room_of(shop: Shop) -> WaitingRoom:
    if shop.room is None:
        raise ProblemError(404, "no_waiting_room")
    return shop.room


def _ticket(room: WaitingRoom, ticket_id: str) -> Ticket:
    ticket = room.ticket_in(ticket_id)
    if ticket is None:
        raise ProblemError(404, "unknown_ticket")
    return ticket


async def _sale(shop: Shop, campaign_id: str) -> Snapshot:
    snapshot = await shop.catalogue.snapshot()
    if campaign_id != CAMPAIGN or snapshot.starts_at is None:
        raise ProblemError(404, "unknown_campaign")
    if snapshot.ends_at is not None and snapshot.now() >= snapshot.ends_at:
        raise ProblemError(410, "campaign_ended", details={"ended_at": rfc3339(snapshot.ends_at)})
    return snapshot


def _door(snapshot: Snapshot) -> Door:
    """Return the door of the sale, which nobody goes through while all that is left is on hold."""
    assert snapshot.starts_at is not None
    nothing_now = all(product.stock_hint <= 0 for product in snapshot.products.values())
    is_halted = snapshot.paused or nothing_now
    return Door(CAMPAIGN, since_1970_us(snapshot.starts_at), is_halted=is_halted)


def _is_sold_out(snapshot: Snapshot, sku: str | None) -> bool:
    """Tell whether it is in vain to wait: what is on hold may be for sale again."""
    wanted = snapshot.products.get(sku) if sku else None
    left = [wanted] if wanted else snapshot.products.values()
    return all(product.stock_hint + product.on_hold <= 0 for product in left)


def _refuse_sold_out(sku: str | None) -> NoReturn:
    raise ProblemError(409, "sold_out", details={"sku": sku, "retryable": False})


def _told(room: WaitingRoom, standing: Standing | Failed) -> Response:
    if isinstance(standing, Failed):
        raise ProblemError(
            503, "waiting_room_unavailable", headers={"Retry-After": str(UNAVAILABLE_RETRY_S)}
        )
    if standing.status == "gone":
        raise ProblemError(410, "position_expired", details={"reason": "absent_or_used"})
    until = rfc3339(standing.until)
    if standing.status == "early":
        raise ProblemError(
            429, "polled_too_early", details={"poll_after": until}, headers=_later(standing)
        )
    ticket_id = room.ticket_text(standing.ticket)
    told = {"ticket_id": ticket_id, "status": standing.status, "position": standing.position}
    if standing.status == "admitted":
        token = {"admission_token": room.admission_text(standing), "expires_at": until}
        return reply(told | token)
    waiting = {"eta_s": round(standing.eta_s, 1), "poll_after": until}
    return reply(told | waiting, status=202, headers=_later(standing))


def _later(standing: Standing) -> dict[str, str]:
    later_s = (standing.until - datetime.now(UTC)).total_seconds()
    return {"Retry-After": str(max(1, math.ceil(later_s)))}
