"""Sessions, and who is behind a request."""

import time
from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter, Request, Response

from target_app.instants import rfc3339
from target_app.members.people import Customer, Member, UserType, tier_of
from target_app.members.tokens import InvalidTokenError, issued, member_in
from target_app.problems import ProblemError, parse, reply
from target_app.web.contract import problems, takes
from target_app.web.requests import shop_of

router = APIRouter(prefix="/v1", tags=["members"])

CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who comes, and whether they register or have been here before."""

    customer: Customer
    user_type: UserType = "returning"


@router.post(
    "/sessions", status_code=201, openapi_extra=takes(Login), responses=problems(422, 429, 503)
)
async def begin_session(request: Request) -> Response:
    """Begin a session of a synthetic member, whose name alone says which tier they have."""
    settings = shop_of(request).settings
    login = parse(await request.body(), Login)
    tier = tier_of(login.customer, seed=settings.member_seed)
    member = Member(login.customer, tier, login.user_type)
    expires_s = int(time.time() + settings.session_ttl_s)
    token = issued(member, secret=settings.signing_secret, expires_s=expires_s)
    expires_at = rfc3339(datetime.fromtimestamp(expires_s, UTC))
    body = {"token": token, **msgspec.structs.asdict(member), "expires_at": expires_at}
    return reply(body, status=201)


def member_of(request: Request) -> Member | None:
    """Return who sent a request, None for a passer-by.

    Raises:
        ProblemError: It carries a token, and that is not valid.
    """
    given = request.headers.get("authorization")
    if given is None:
        return None
    scheme, _space, token = given.partition(" ")
    secret = shop_of(request).settings.signing_secret
    try:
        return member_in(
            token if scheme.lower() == "bearer" else "", secret=secret, now_s=time.time()
        )
    except InvalidTokenError as error:
        details = {"detail": str(error)}
        raise ProblemError(401, "invalid_session", details=details, headers=CHALLENGE) from error


def required_member(request: Request) -> Member:
    member = member_of(request)
    if member is None:
        raise ProblemError(401, "session_required", headers=CHALLENGE)
    return member
