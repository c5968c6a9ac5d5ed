"""Faults as values: what breaks, on what, when and for how long. How it is done is in `chaos`."""

from doorbuster.faults.database import Connections, Failback, Failover, Lag, Lock, Restore
from doorbuster.faults.fault import (
    Fault,
    FaultKind,
    NetworkKind,
    PostgresKind,
    ProcessKind,
    default_name,
)
from doorbuster.faults.hooks import Hooks
from doorbuster.faults.kind import Frozen, Kind
from doorbuster.faults.network import (
    Bandwidth,
    Blackhole,
    Down,
    Flap,
    Latency,
    LimitData,
    Partition,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
    Toxic,
)
from doorbuster.faults.processes import CrashLoop, Hog, Kill, Pause, Restart, Rolling
from doorbuster.faults.provider import Respond
from doorbuster.faults.redis import Flush
from doorbuster.faults.table import COMPONENTS, KINDS, NEED_REDIS, TOUCHED_BY, component_takes

__all__ = [
    "COMPONENTS",
    "KINDS",
    "NEED_REDIS",
    "TOUCHED_BY",
    "Bandwidth",
    "Blackhole",
    "Connections",
    "CrashLoop",
    "Down",
    "Failback",
    "Failover",
    "Fault",
    "FaultKind",
    "Flap",
    "Flush",
    "Frozen",
    "Hog",
    "Hooks",
    "Kill",
    "Kind",
    "Lag",
    "Latency",
    "LimitData",
    "Lock",
    "NetworkKind",
    "Partition",
    "Pause",
    "PostgresKind",
    "ProcessKind",
    "ResetPeer",
    "Respond",
    "Restart",
    "Restore",
    "Rolling",
    "Slicer",
    "SlowClose",
    "Timeout",
    "Toxic",
    "component_takes",
    "default_name",
]
