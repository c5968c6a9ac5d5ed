"""The files that a traffic order names: which, how long, and moved to where a worker has them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from doorbuster.errors import PlanError
from scenarios.imports import imported_beside
from scenarios.order import TrafficOrder

ENCLOSED_BYTES_MAX: Final = 64 * 1024**2
"""All files of a plan together; the master holds them in memory, and each worker fetches them."""


class Enclosed(msgspec.Struct, frozen=True):
    """A file that an order names: its path on the director's host, and its length.

    `beside` is set for a module that a named one imports: the path of that one, which comes before
    it and in whose folder it has to be found.
    """

    path: str
    bytes_long: int
    beside: str | None = None

    @property
    def place(self) -> Path:
        """Where it goes in the folder of the file that is named."""
        if self.beside is None:
            return Path(Path(self.path).name)
        return Path(self.path).relative_to(Path(self.beside).parent)


def moved(order: TrafficOrder, move: Callable[[str], str]) -> TrafficOrder:
    """Return the order with every path in it moved: shop, users, Locust file, certificates.

    Recorded series are no files any more: what they say stands in the resolved plan.
    """
    traffic = dict(order.plan["traffic"])
    for key in ("ca_file", "locustfile"):
        if traffic.get(key) is not None:
            traffic[key] = move(traffic[key])
    if traffic.get("data") is not None:
        traffic["data"] = {**traffic["data"], "users": move(traffic["data"]["users"])}
    adapter = None if order.adapter is None else _moved_shop(order.adapter, move)
    return replace(order, plan={**order.plan, "traffic": traffic}, adapter=adapter)


def enclosed_by(order: TrafficOrder) -> tuple[Enclosed, ...]:
    """Return the files that an order names, each once, with what Python ones import beside them.

    Raises:
        PlanError: One of them is not there, or they are too long to be handed over.
    """
    paths: dict[str, None] = {}

    def note(path: str) -> str:
        paths[path] = None
        return path

    moved(order, note)
    try:
        found = tuple(
            Enclosed(str(file), file.stat().st_size, beside=named if str(file) != named else None)
            for named in paths
            for file in (Path(named), *_modules_of(named))
        )
    except OSError as error:
        raise PlanError(f"{error}; expected a file for the workers") from error
    require_sendable(found)
    return found


def require_sendable(enclosed: Sequence[Enclosed]) -> None:
    """Insist that the files together are not too long to be handed over."""
    total = sum(file.bytes_long for file in enclosed)
    if total > ENCLOSED_BYTES_MAX:
        longest = max(enclosed, key=lambda file: file.bytes_long)
        raise PlanError(
            f"the plan's files come to {total:,} bytes, {longest.path} alone to "
            f"{longest.bytes_long:,}: workers of other hosts are handed at most "
            f"{ENCLOSED_BYTES_MAX:,}"
        )


def _modules_of(path: str) -> list[Path]:
    return imported_beside(Path(path)) if path.endswith(".py") else []


def _moved_shop(name: str, move: Callable[[str], str]) -> str:
    """Move the file of a shop; of `PATH.py:CLASS` the class stays."""
    path, colon, class_name = name.rpartition(":")
    return f"{move(path)}:{class_name}" if colon and path.endswith(".py") else move(name)
