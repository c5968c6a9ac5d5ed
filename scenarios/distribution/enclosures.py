"""The files that an order names, handed to workers on other hosts, which have none of them.

A worker asks for one piece after another, so that nothing piles up on the way.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from doorbuster.errors import DoorbusterError, PlanError
from scenarios.order import TrafficOrder
from scenarios.order_files import Enclosed, enclosed_by, moved, require_sendable

PIECE_BYTES: Final = 1024**2

Fetch = Callable[[int, int], bytes]
"""Asks for a piece: which of the files, and from where on."""


class Enclosures:
    """The files of an order as they were when it was given: all workers get the same."""

    def __init__(self, order: TrafficOrder) -> None:
        files = enclosed_by(order)
        try:
            self._contents = [Path(file.path).read_bytes() for file in files]
        except OSError as error:
            raise PlanError(f"{error}; expected a file for the workers") from error
        self.listed = tuple(
            replace(file, bytes_long=len(content))
            for file, content in zip(files, self._contents, strict=True)
        )

    def piece(self, number: int, offset: int) -> bytes:
        """Return a piece of one of the files, nothing beyond its end."""
        return self._contents[number][offset : offset + PIECE_BYTES]


def unpack(
    enclosed: Sequence[Enclosed], order: TrafficOrder, *, into: Path, fetch: Fetch
) -> TrafficOrder:
    """Fetch the files into a folder and return the order that names them there.

    Each that is named gets a folder of its own, with what it imports: two may have one name, and a
    class goes by the name of its file.
    """
    require_sendable(enclosed)
    places: dict[str, str] = {}
    folder = into
    for number, file in enumerate(enclosed):
        if file.beside is None:
            folder = into / str(number)
            places[file.path] = str(folder / file.place)
        elif ".." in file.place.parts:
            raise DoorbusterError(f"{file.path}: expected a file beside {file.beside}")
        place = folder / file.place
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"".join(_pieces(number, file, fetch)))
        except OSError as error:
            raise DoorbusterError(f"no room for {file.path} here: {error}") from error
    return moved(order, places.__getitem__)


def _pieces(number: int, file: Enclosed, fetch: Fetch) -> list[bytes]:
    pieces: list[bytes] = []
    offset = 0
    while offset < file.bytes_long:
        if not (piece := fetch(number, offset)):
            raise DoorbusterError(f"{file.path} broke off after {offset:,} bytes")
        pieces.append(piece)
        offset += len(piece)
    return pieces
