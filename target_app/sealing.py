"""Claims that this shop signed and can read back: no replica has to remember whom it told what."""

import base64
import binascii
from typing import TypeVar

import msgspec

from target_app.signatures import is_signed, sign

T = TypeVar("T", bound=msgspec.Struct)


class BrokenSealError(Exception):
    """A text that this shop did not seal, or not with this secret, or not as this kind of claim."""


def sealed(claims: msgspec.Struct, *, secret: str) -> str:
    """Return `claims` as a text that fits into a path and a header, with a signature."""
    body = base64.urlsafe_b64encode(msgspec.json.encode(claims))
    return f"{body.decode()}.{sign(body, secret)}"


def unsealed(text: str, kind: type[T], *, secret: str) -> T:
    """Return the claims in `text`.

    Raises:
        BrokenSealError: They are not ours.
    """
    body, _dot, signature = text.partition(".")
    if not is_signed(body.encode(), signature=signature, secret=secret):
        raise BrokenSealError("not signed by this shop")
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(body), type=kind)
    except (binascii.Error, msgspec.DecodeError) as error:
        raise BrokenSealError("signed for something else") from error
