"""Bringing home what a worker on another host writes: each file's growth, in order, soon after.

Operations are sent within moments of being written, so that of a worker that is lost as little as
possible is missing; the master appends them to the same files under the run directory.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import gevent

from scenarios.appending import AppendedFile
from scenarios.distribution.messages import Piece

SHIP_EVERY_S: Final = 0.2
PIECE_BYTES: Final = 128 * 1024
"""Small enough that reading and sending one takes well below a millisecond of the loop."""


class Shipping:
    """A worker's files, as far as they were sent."""

    def __init__(self, files: Sequence[Path], send: Callable[[Piece], None]) -> None:
        self._files = files
        self._send = send
        self._offsets = [0] * len(files)

    def ship_forever(self) -> None:
        while True:
            gevent.sleep(SHIP_EVERY_S)
            self.ship()

    def ship(self) -> None:
        """Send what is new, letting others run between any two pieces."""
        for number, path in enumerate(self._files):
            for content in self._news_of(number, path):
                self._send(Piece(number, content))
                gevent.sleep(0)

    def _news_of(self, number: int, path: Path) -> Iterator[bytes]:
        if not path.exists():
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            while content := os.pread(descriptor, PIECE_BYTES, self._offsets[number]):
                self._offsets[number] += len(content)
                yield content
        finally:
            os.close(descriptor)


class Homecoming:
    """The files under the run directory that a worker's pieces go to."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [AppendedFile(path) for path in files]

    def add(self, piece: Piece) -> None:
        self._files[piece.number].append(piece.content)

    def close(self) -> None:
        for file in self._files:
            file.close()
