"""Which connections of an embedded stack cross the proxy, and the proxies made for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from doorbuster.stack.ports import LOOPBACK

QUIET: Final[Mapping[str, str]] = {"LOG_LEVEL": "error"}
"""Toxiproxy's setting; at any lower level it writes lines about every connection."""


class ProxyApi(Protocol):
    """What the stack asks of a client of the Toxiproxy API."""

    def create(self, name: str, *, listen: str, upstream: str) -> str:
        """Make a proxy and return the address where it listens."""

    def delete(self, name: str) -> None:
        """Remove a proxy that `create` made."""

    def close(self) -> None:
        """Let go of the client's own connections."""


OpenApi = Callable[[str], ProxyApi]
"""Makes a client for the API at a URL."""


@dataclass(frozen=True)
class OwnProxy:
    """A Toxiproxy that we start; `{port}` in the command becomes the port of its API."""

    command: tuple[str, ...]


@dataclass(frozen=True)
class SharedProxy:
    """A Toxiproxy that runs already: only our own proxies on it are touched."""

    url: str


def proxy_name(run_id: str, connection: str) -> str:
    """Return what a run calls the proxy of a connection; no other proxy is touched."""
    return f"doorbuster-{run_id}-{connection}"


@dataclass(frozen=True)
class Connection:
    """One connection between two parts: who listens in front, and what lies behind."""

    name: str
    listen_port: int
    upstream_port: int
    host: str = LOOPBACK

    @property
    def listen(self) -> str:
        return f"{self.host}:{self.listen_port}"

    @property
    def upstream(self) -> str:
        return f"{LOOPBACK}:{self.upstream_port}"

    def proxy_name(self, run_id: str) -> str:
        return proxy_name(run_id, self.name)
