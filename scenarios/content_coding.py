"""Undoing a body's codings (gzip, deflate), never beyond a limit: few bytes can be a flood."""

import zlib
from typing import Final

_CODINGS_AT_MOST: Final = 3
_GZIP_WBITS: Final = 31
_ZLIB_WBITS: Final = 15
_RAW_WBITS: Final = -15


class CodingError(Exception):
    """The body is not what its Content-Encoding says, or that says what was not asked for."""


class DecodedTooLarge(Exception):
    """The body without its coding is larger than the limit."""


def decoded(body: bytes, codings: bytes, *, limit_bytes: int) -> bytes:
    """Return `body` without `codings`, the value of Content-Encoding; the last was applied last."""
    names = [name.strip().lower() for name in codings.split(b",")]
    if len(names) > _CODINGS_AT_MOST:
        raise CodingError(f"{len(names)} codings")
    for name in reversed(names):
        body = _without(name, body, limit_bytes)
    return body


def _without(name: bytes, body: bytes, limit_bytes: int) -> bytes:
    if not body or name in (b"", b"identity"):
        return body
    if name in (b"gzip", b"x-gzip"):
        return _inflated(body, _GZIP_WBITS, limit_bytes)
    if name == b"deflate":
        return _deflate(body, limit_bytes)
    raise CodingError(name.decode("latin-1"))


def _deflate(body: bytes, limit_bytes: int) -> bytes:
    """Undo `deflate`, which servers send with and without the wrapper that belongs to it."""
    try:
        return _inflated(body, _ZLIB_WBITS, limit_bytes)
    except CodingError:
        return _inflated(body, _RAW_WBITS, limit_bytes)


def _inflated(body: bytes, wbits: int, limit_bytes: int) -> bytes:
    """Inflate all members of `body`; each must be whole."""
    parts: list[bytes] = []
    size = 0
    while body:
        inflater = zlib.decompressobj(wbits)
        try:
            part = inflater.decompress(body, limit_bytes + 1 - size)
        except zlib.error as error:
            raise CodingError(str(error)) from error
        size += len(part)
        if size > limit_bytes:
            raise DecodedTooLarge
        if not inflater.eof:
            raise CodingError("truncated")
        parts.append(part)
        body = inflater.unused_data
    return b"".join(parts)
