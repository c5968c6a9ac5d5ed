"""Session tokens: what they say is in them, signed, so that no replica has to remember anybody."""

import msgspec

from target_app.members.people import Member
from target_app.sealing import BrokenSealError, sealed, unsealed


class InvalidTokenError(Exception):
    """A token that this shop did not issue, or that has expired."""


class _Claims(msgspec.Struct, frozen=True):
    member: Member
    expires_s: int


def issued(member: Member, *, secret: str, expires_s: int) -> str:
    """Return the token of a session that ends at `expires_s`, in seconds since 1970."""
    return sealed(_Claims(member, expires_s), secret=secret)


def member_in(token: str, *, secret: str, now_s: float) -> Member:
    """Return whose token this is.

    Raises:
        InvalidTokenError: It is not one of ours, or no longer.
    """
    try:
        claims = unsealed(token, _Claims, secret=secret)
    except BrokenSealError as error:
        raise InvalidTokenError(str(error)) from error
    if now_s >= claims.expires_s:
        raise InvalidTokenError("expired")
    return claims.member
