"""The reference shop as components: storefront replicas on one port, and the payment provider."""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil

from doorbuster.stack.component import LocalComponent
from doorbuster.stack.order import StackOrder
from doorbuster.stack.ports import LOOPBACK
from doorbuster.stack.process import Place, Program
from doorbuster.stack.ready import http_probe

WEBHOOK_PATH = "/v1/webhooks/psp"


@dataclass(frozen=True)
class ShopCommands:
    """How the shop's two programs are started; `{port}` becomes where to listen."""

    storefront: tuple[str, ...] = (
        sys.executable,
        "-m",
        "target_app",
        "storefront",
        "--port",
        "{port}",
    )
    provider: tuple[str, ...] = (sys.executable, "-m", "target_app", "provider", "--port", "{port}")


def with_port(command: tuple[str, ...], port: int) -> tuple[str, ...]:
    return tuple(word.replace("{port}", str(port)) for word in command)


@dataclass(frozen=True)
class Secrets:
    """What the parts of one run share and nobody else knows."""

    ops_token: str = field(default_factory=lambda: secrets.token_hex(16))
    webhook: str = field(default_factory=lambda: secrets.token_hex(16))
    redis: str = field(default_factory=lambda: secrets.token_hex(16))


def provider(
    place: Place, command: tuple[str, ...], *, port: int, webhooks_port: int, webhook_secret: str
) -> LocalComponent:
    """Return the payment provider; its book survives a kill."""
    home = place.home_of("provider")
    address = f"{LOOPBACK}:{port}"
    program = Program(
        component="provider",
        command=with_port(command, port),
        home=home,
        log=place.logs / "provider.log",
        environment={
            "PROVIDER_STORE": str(home / "book.sqlite"),
            "PROVIDER_WEBHOOK_URL": f"http://{LOOPBACK}:{webhooks_port}{WEBHOOK_PATH}",
            "PROVIDER_WEBHOOK_SECRET": webhook_secret,
        },
    )
    health = http_probe(address, "/healthz")
    return LocalComponent(program, run_id=place.run_id, address=address, ready=lambda _: health())


def built(order: StackOrder) -> dict[str, str]:
    """Return the storefront's settings that say how `order` wants it, wherever it runs."""
    told = {
        "STOREFRONT_RESERVATION": order.reservation,
        "STOREFRONT_FLAWS": ",".join(order.flaws),
        "STOREFRONT_HOLD_S": f"{order.hold_s:g}",
    }
    room = order.waiting_room
    if room is not None:
        told |= {
            "STOREFRONT_WAITING_ROOM_RATE": repr(room.rate_per_s),
            "STOREFRONT_WAITING_ROOM_ACTIVE": str(room.active_max),
            "STOREFRONT_WAITING_ROOM_LEASE_S": repr(room.lease_s),
            "STOREFRONT_WAITING_ROOM_SEED": str(room.seed),
        }
    return told


def storefront(
    place: Place, command: tuple[str, ...], *, replica: int, port: int, settings: Mapping[str, str]
) -> LocalComponent:
    """Return one replica of the storefront; all of them listen on the same port."""
    name = f"storefront-{replica}"
    program = Program(
        component=name,
        command=with_port(command, port),
        home=place.home_of(name),
        log=place.logs / f"{name}.log",
        environment={**settings, "STOREFRONT_REPLICA": name},
    )
    address = f"{LOOPBACK}:{port}"
    readiness = http_probe(address, "/readyz")

    def ready(component: LocalComponent) -> str:
        """Ask the replica itself as well: another one may answer on the port that they share."""
        if objection := readiness():
            return objection
        return "" if listens(component.pid, port) else f"{name} does not listen on {port} yet"

    return LocalComponent(program, run_id=place.run_id, address=address, ready=ready)


def listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in connections)
