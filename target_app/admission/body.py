"""The body of a request: how long it may take to come, and how large it may be.

A place inside is held from the moment somebody was let in. Without a deadline whoever announces a
body and never sends it would keep theirs for as long as the connection stands.
"""

import asyncio

from starlette.types import Message, Receive

from target_app.problems import ProblemError

SHOPPERS_BYTES_MAX = 64 * 1024
"""Twice the largest body that could be in order: 20 long lines with every letter escaped."""

OPERATORS_BYTES_MAX = 16 * 1024 * 1024
"""A whole sale with all its items."""

BODYLESS = frozenset({"GET", "HEAD", "OPTIONS"})


def bytes_max(path: str) -> int:
    return OPERATORS_BYTES_MAX if path.startswith("/ops/") else SHOPPERS_BYTES_MAX


class BoundedBody:
    """An ASGI `receive` that ends in a refusal once the body is too late or too large.

    Nothing may have been done for a request before its body is whole, so neither leaves a trace.
    """

    def __init__(self, receive: Receive, *, within_s: float, bytes_max: int) -> None:
        self._receive = receive
        self._within_s = within_s
        self._deadline_s = asyncio.get_running_loop().time() + within_s
        self._bytes_max = bytes_max
        self._bytes = 0
        self._is_whole = False

    async def __call__(self) -> Message:
        """Return the next part of the body, and after the last one whatever else is to be told.

        Raises:
            ProblemError: 408 `body_too_slow` or 413 `body_too_large`.
        """
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline_s):
                message = await self._receive()
        except TimeoutError as error:
            raise self._too_slow() from error
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._bytes_max:
            detail = f"expected at most {self._bytes_max} bytes"
            raise ProblemError(413, "body_too_large", details={"detail": detail})
        self._is_whole = not message.get("more_body", False)
        return message

    def _too_slow(self) -> ProblemError:
        detail = f"expected the whole body within {self._within_s:g} s"
        # The rest of it, should it still come, would be taken for the next request.
        return ProblemError(
            408, "body_too_slow", details={"detail": detail}, headers={"Connection": "close"}
        )
