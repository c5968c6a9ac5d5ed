"""What a stack is asked to bring up."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from doorbuster.stack.proxies import OpenApi


@dataclass(frozen=True)
class RoomOrder:
    """The waiting room that the shop is to have.

    Args:
        seed: Decides the draw among those who came before T0.
    """

    rate_per_s: float
    active_max: int
    lease_s: float
    seed: int


@dataclass(frozen=True)
class StackOrder:
    """The shop that a plan asks for; whichever stack brings it up.

    Args:
        logs: Where each component's output goes.
        open_api: Makes the client by which the proxies of the connections are created.
        edge_host: Where shoppers reach the shop; all else is on loopback.
        redis: Whether the shop needs a Redis server.
        redis_snapshot_s: How often that saves itself; None for one that is empty after a kill.
    """

    run_id: str
    logs: Path
    open_api: OpenApi
    replicas: int = 1
    reservation: str = "conditional_update"
    flaws: tuple[str, ...] = ()
    replication: Literal["synchronous", "asynchronous"] = "synchronous"
    hold_s: float = 600.0
    edge_host: str = "127.0.0.1"
    redis: bool = False
    redis_snapshot_s: float | None = None
    waiting_room: RoomOrder | None = None
