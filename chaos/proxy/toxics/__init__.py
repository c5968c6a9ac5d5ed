"""The kinds of toxic, a file each; a new one is registered here and nowhere else."""

from collections.abc import Mapping
from types import MappingProxyType

from chaos.proxy.toxics.latency import Latency
from chaos.proxy.toxics.reset_peer import ResetPeer
from chaos.proxy.toxics.stage import Stage
from chaos.proxy.toxics.timeout import Timeout

KINDS: Mapping[str, type[Stage]] = MappingProxyType(
    {
        "latency": Latency,
        "noop": Stage,
        "reset_peer": ResetPeer,
        "timeout": Timeout,
    }
)
