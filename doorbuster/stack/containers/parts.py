"""The containers that are not databases, proxy, provider and storefront, and their wiring."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from doorbuster.stack.containers.database import POSTGRES_PORT
from doorbuster.stack.containers.service import Service
from doorbuster.stack.ports import LOOPBACK
from doorbuster.stack.postgres import PRIMARY, STANDBY
from doorbuster.stack.proxies import QUIET
from doorbuster.stack.ready import http_probe
from doorbuster.stack.redis import REDIS, objection, redis_url, settings
from doorbuster.stack.shop import WEBHOOK_PATH

PROXY = "proxy"
STOREFRONTS = "storefront"
"""The name that all replicas answer to in the network: like a balancer without health checks."""

API_PORT = 8474
HTTP_PORT = 8080
REDIS_PORT = 6379
SERVE = ("python", "-m", "target_app")
LISTENING = ("--host", "0.0.0.0", "--port", str(HTTP_PORT))


@dataclass(frozen=True)
class Connection:
    """One connection between two containers: the proxy's port in front of what lies behind."""

    port: int
    upstream: str

    @property
    def url(self) -> str:
        """Return how the other containers reach it."""
        return f"http://{PROXY}:{self.port}"


CONNECTIONS: Mapping[str, Connection] = {
    "edge": Connection(20_000, f"{STOREFRONTS}:{HTTP_PORT}"),
    "payments": Connection(20_001, f"provider:{HTTP_PORT}"),
    "webhooks": Connection(20_002, f"{STOREFRONTS}:{HTTP_PORT}"),
    "replication": Connection(20_003, f"{PRIMARY}:{POSTGRES_PORT}"),
    PRIMARY: Connection(20_004, f"{PRIMARY}:{POSTGRES_PORT}"),
    STANDBY: Connection(20_005, f"{STANDBY}:{POSTGRES_PORT}"),
    "redis": Connection(20_006, f"{REDIS}:{REDIS_PORT}"),
}


def proxy(image: str, *, api_port: int, ports: Mapping[str, int]) -> Service:
    """Return the proxy; `ports` says where on loopback a connection is reached from outside."""
    outside = {port: CONNECTIONS[connection].port for connection, port in ports.items()}
    return Service(
        name=PROXY,
        image=image,
        ports={api_port: API_PORT, **outside},
        ready=http_probe(f"{LOOPBACK}:{api_port}", "/version"),
        environment=QUIET,
    )


def provider(image: str, *, port: int, webhook_secret: str) -> Service:
    """Return the payment provider; its book survives a kill."""
    return Service(
        name="provider",
        image=image,
        ports={port: HTTP_PORT},
        ready=http_probe(f"{LOOPBACK}:{port}", "/healthz"),
        environment={
            "PROVIDER_STORE": "book.sqlite",
            "PROVIDER_WEBHOOK_URL": CONNECTIONS["webhooks"].url + WEBHOOK_PATH,
            "PROVIDER_WEBHOOK_SECRET": webhook_secret,
        },
        words=(*SERVE, "provider", *LISTENING),
    )


def redis(image: str, *, port: int, password: str, snapshot_s: float | None) -> Service:
    """Return Redis; its snapshots outlive a kill, not the container."""
    told = settings(password=password, snapshot_s=snapshot_s)
    return Service(
        name=REDIS,
        image=image,
        ports={port: REDIS_PORT},
        ready=partial(objection, redis_url(port=port, password=password)),
        entrypoint=("redis-server",),
        words=tuple(word for name, *values in told for word in (f"--{name}", *values)),
    )


def storefront(image: str, *, name: str, port: int, settings: Mapping[str, str]) -> Service:
    """Return one replica of the storefront."""
    return Service(
        name=name,
        image=image,
        ports={port: HTTP_PORT},
        ready=http_probe(f"{LOOPBACK}:{port}", "/readyz"),
        environment={**settings, "STOREFRONT_REPLICA": name},
        aliases=(STOREFRONTS,),
        words=(*SERVE, "storefront", *LISTENING),
    )
