"""The kinds of toxic, a file each; a new one is registered here and nowhere else."""

from collections.abc import Mapping
from types import MappingProxyType

from chaos.proxy.toxics.bandwidth import Bandwidth
from chaos.proxy.toxics.latency import Latency
from chaos.proxy.toxics.limit_data import LimitData
from chaos.proxy.toxics.reset_peer import ResetPeer
from chaos.proxy.toxics.slicer import Slicer
from chaos.proxy.toxics.slow_close import SlowClose
from chaos.proxy.toxics.stage import Stage
from chaos.proxy.toxics.timeout import Timeout

KINDS: Mapping[str, type[Stage]] = MappingProxyType(
    {
        "bandwidth": Bandwidth,
        "latency": Latency,
        "limit_data": LimitData,
        "noop": Stage,
        "reset_peer": ResetPeer,
        "slicer": Slicer,
        "slow_close": SlowClose,
        "timeout": Timeout,
    }
)
