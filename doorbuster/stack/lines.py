"""Lines from a child's pipe, without ever waiting for the rest of one."""

import os
import select
from typing import IO

CHUNK_BYTES = 1 << 16


class Lines:
    """What came through a pipe so far; a line is complete when its end has come."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._descriptor = pipe.fileno()
        self._rest = b""
        self._ended = False

    def read(self, *, within_s: float = 0.0) -> list[bytes]:
        """Return the lines that are complete by now, waiting at most so long for the first."""
        complete: list[bytes] = []
        while not self._ended and self._is_readable(0.0 if complete else within_s):
            received = os.read(self._descriptor, CHUNK_BYTES)
            self._ended = not received
            *lines, self._rest = (self._rest + received).split(b"\n")
            complete += lines
        return complete

    def _is_readable(self, within_s: float) -> bool:
        readable, _, _ = select.select([self._descriptor], [], [], within_s)
        return bool(readable)
