"""Which components there are, and which kinds of fault each of them takes."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from doorbuster.faults import database, hooks, network, processes, provider, redis
from doorbuster.faults.kind import Kind

CONNECTIONS: Final = ("edge", "payments", "webhooks", "redis", "replication")
"""Connections through the proxy, besides `postgres`, which means both nodes' proxies."""

NEED_REDIS: Final = ("redis", "redis-server")
"""Components that only a shop built on Redis has."""

TOUCHED_BY: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "storefront": ("edge", "payments", "webhooks", "redis", "postgres-a", "postgres-b"),
        "postgres-a": ("postgres-a", "replication"),
        "postgres-b": ("postgres-b", "replication"),
        "redis-server": ("redis",),
        "provider": ("payments", "webhooks"),
    }
)
"""The connections that a component has with others: what a partition of it cuts."""

NETWORK: Final[Mapping[str, type[Kind]]] = MappingProxyType(
    {
        "latency": network.Latency,
        "bandwidth": network.Bandwidth,
        "timeout": network.Timeout,
        "blackhole": network.Blackhole,
        "reset_peer": network.ResetPeer,
        "slow_close": network.SlowClose,
        "slicer": network.Slicer,
        "limit_data": network.LimitData,
        "down": network.Down,
        "flap": network.Flap,
    }
)
_PROCESS_KINDS: Final[Mapping[str, type[Kind]]] = MappingProxyType(
    {
        "kill": processes.Kill,
        "pause": processes.Pause,
        "restart": processes.Restart,
        "crash_loop": processes.CrashLoop,
        "hog": processes.Hog,
    }
)
_DATABASE: Final[Mapping[str, type[Kind]]] = MappingProxyType(
    {
        "failover": database.Failover,
        "failback": database.Failback,
        "lag": database.Lag,
        "lock": database.Lock,
        "connections": database.Connections,
        "restore": database.Restore,
    }
)
_OWN: Final[Mapping[str, type[Kind]]] = MappingProxyType(
    {
        "rolling": processes.Rolling,
        "partition": network.Partition,
        "flush": redis.Flush,
        "respond": provider.Respond,
        "hooks": hooks.Hooks,
    }
)

KINDS: Final[Mapping[str, type[Kind]]] = MappingProxyType(
    {**NETWORK, **_PROCESS_KINDS, **_DATABASE, **_OWN}
)
"""The plan's words for the kinds of fault."""

COMPONENTS: Final = (
    *CONNECTIONS,
    "postgres",
    "storefront",
    "storefront-N",
    "postgres-a",
    "postgres-b",
    "redis-server",
    "provider",
)
_PROCESS: Final = re.compile(r"storefront(-[1-9]\d*)?|postgres-[ab]|redis-server|provider")
_ALSO: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "storefront": ("rolling", "partition"),
        "postgres-a": ("partition",),
        "postgres-b": ("partition",),
        "redis-server": ("partition", "flush"),
        "provider": ("partition", "respond"),
    }
)


def component_takes(on: str) -> tuple[str, ...]:
    """Return the kinds of fault that `on` takes; none when there is no such component.

    `hooks` is not among them, since commands may break what we do not know of.
    """
    if on in CONNECTIONS:
        return tuple(NETWORK)
    if on == "postgres":
        return (*NETWORK, *_DATABASE)
    return (*_PROCESS_KINDS, *_ALSO.get(on, ())) if _PROCESS.fullmatch(on) else ()
