"""Session tokens: what they say is in them, signed, so that no replica has to remember anybody."""

import base64
import binascii

import msgspec

from target_app.members.people import Member
from target_app.signatures import is_signed, sign


class InvalidTokenError(Exception):
    """A token that this shop did not issue, or that has expired."""


class _Claims(msgspec.Struct, frozen=True):
    member: Member
    expires_s: int


def issued(member: Member, *, secret: str, expires_s: int) -> str:
    """Return the token of a session that ends at `expires_s`, in seconds since 1970."""
    body = base64.urlsafe_b64encode(msgspec.json.encode(_Claims(member, expires_s)))
    return f"{body.decode()}.{sign(body, secret)}"


def member_in(token: str, *, secret: str, now_s: float) -> Member:
    """Return whose token this is.

    Raises:
        InvalidTokenError: It is not one of ours, or no longer.
    """
    body, _dot, signature = token.partition(".")
    if not is_signed(body.encode(), signature=signature, secret=secret):
        raise InvalidTokenError("not signed by this shop")
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(body), type=_Claims)
    except (binascii.Error, msgspec.DecodeError) as error:
        raise InvalidTokenError("not a session token") from error
    if now_s >= claims.expires_s:
        raise InvalidTokenError("expired")
    return claims.member
