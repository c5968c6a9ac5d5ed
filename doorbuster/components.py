"""What a stack hands out: components to kill and pause, database nodes, and the proxies between.

Stacks implement these; faults act on them; neither knows the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from doorbuster.errors import DoorbusterError

RUN_MARK = "DOORBUSTER_RUN"
"""The environment variable that every process of a run carries, with the run's id as value."""


class Component(Protocol):
    """One part of the system under test: a process or container with all its descendants."""

    @property
    def name(self) -> str:
        """The plan's word for it, such as `storefront-1` or `postgres-a`."""

    @property
    def address(self) -> str:
        """`host:port` where it listens, without the proxy."""

    @property
    def logs(self) -> Path:
        """The file that its output goes to."""

    def pids(self) -> Sequence[int]:
        """Return the ids of its processes and their descendants that are alive."""

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL to all); it has gone when this returns."""

    def pause(self) -> None:
        """Stop it (SIGSTOP to all) without closing anything, until no new descendant turns up."""

    def resume(self) -> None:
        """Undo `pause`."""

    def end(self, grace_s: float) -> None:
        """Ask it to end in good order, as a deployment does; at once if it takes longer."""

    def restart(self) -> None:
        """Start it again on the same address after `kill`; it is ready when this returns."""

    def launch(self) -> None:
        """Start it again as `restart` does, without waiting until it is ready."""

    def start_hog(self, *, cores: int, bound_s: float) -> None:
        """Start busy processes beside it, no part of it, that want the processors it runs on.

        They end by themselves after `bound_s`.
        """

    def hogs(self) -> Sequence[int]:
        """Return the ids of the busy processes that are alive."""

    def end_hog(self) -> None:
        """End them."""


class DatabaseFiles(Protocol):
    """The files of one Postgres server, which can be replaced as a whole."""

    def follow(self) -> None:
        """End it, and start it as a standby: a copy of the other one, whose log it follows.

        It follows through the `replication` proxy, which has to lead to the other one.
        """

    def back_up(self) -> None:
        """Take a base backup of it while it runs."""

    def restore(self) -> None:
        """End it, and start it as it was when it was backed up."""


@dataclass(frozen=True)
class DatabaseNode:
    """One Postgres server: its component, and how to reach it with and without the proxy.

    `upstream` is where the `replication` proxy has to lead when this one is primary.
    """

    component: Component
    direct_dsn: str
    proxied_dsn: str
    proxy: str
    upstream: str
    files: DatabaseFiles


@dataclass(frozen=True)
class Topology:
    """What a running stack offers to faults, traffic and the final read.

    `proxies` maps the connection's name in a plan (`edge`, `payments`, `webhooks`, `replication`,
    and `redis` where the shop needs one) to the names of its proxies at the Toxiproxy API;
    `postgres` has one for each node.
    """

    run_id: str
    components: Mapping[str, Component]
    database: Sequence[DatabaseNode]
    """The nodes, `postgres-a` first, which is primary when the stack comes up."""
    proxies: Mapping[str, Sequence[str]]
    proxy_api: str
    shop_url: str
    """Through the `edge` proxy: what shoppers use."""
    shop_direct_url: str
    """Past the proxy: for the final read, which no fault may disturb."""
    provider_direct_url: str
    ops_token: str
    synchronous: bool = False
    """Whether commits wait for the standby."""
    redis_direct_url: str | None = None
    """Past the proxy; None where the shop needs no Redis."""
    via: str | None = None
    """`IP:PORT` that shoppers connect to instead of looking the shop's name up."""


def proxy_is_gone(topology: Topology) -> bool:
    """Say whether the proxy was the run's own and has ended; its toxics went with it."""
    proxy = topology.components.get("proxy")
    return proxy is not None and not proxy.pids()


def require_proxy(topology: Topology) -> None:
    """Insist that the run's own proxy runs: without it every connection of the shop is cut."""
    if proxy_is_gone(topology):
        raise DoorbusterError(
            "the proxy died, and with it every connection of the shop; "
            f"its last words are in {topology.components['proxy'].logs}"
        )
