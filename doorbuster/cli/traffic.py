"""Who sends the traffic: processes here, or workers that join from other hosts."""

import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
import typer
from msgspec.structs import replace

from doorbuster.cli.adapters import adapter_of
from doorbuster.cli.target import way_to
from doorbuster.components import Topology
from doorbuster.errors import PlanError
from doorbuster.news import News
from doorbuster.plan import Plan
from doorbuster.rundir import RunDirectory
from doorbuster.stack.generator import READY_BOUND_S, Job
from scenarios.order import CrewOrder, TrafficOrder
from scenarios.order_files import enclosed_by, moved

MASTER: Final = (sys.executable, "-m", "scenarios.distribution.master")
DEFAULT_BIND: Final = "127.0.0.1:5557"
JOIN_WITHIN_S: Final = 120.0

DRAW_WITHIN_S: Final = 50e-6
"""For each arrival, since every worker draws all: ten times what it takes, as cores are shared."""

ExpectOption = Annotated[
    int | None,
    typer.Option("--expect-workers", min=1, help="Traffic comes from N `doorbuster worker`s."),
]
BindOption = Annotated[
    str | None,
    typer.Option(
        "--bind",
        metavar="HOST:PORT",
        help=f"Where they join, with --expect-workers; {DEFAULT_BIND} if not given. The shop is "
        "reached at the same host.",
    ),
]


@dataclass(frozen=True)
class Elsewhere:
    """Workers that are expected from other hosts, and where they join."""

    host: str
    port: int


def elsewhere(expected: int | None, bind: str | None, workers: int | None) -> Elsewhere | None:
    """Return where workers join, None where all traffic is made here; refuse what cannot be."""
    if expected is None:
        if bind is not None:
            raise PlanError(f"--bind {bind}: expected --expect-workers N with it")
        return None
    if workers is not None:
        raise PlanError(
            f"--workers {workers} starts processes here, --expect-workers {expected} waits for "
            "some to join: expected one of the two"
        )
    host, port = address_of(bind or DEFAULT_BIND, option="--bind")
    require_bindable(host, port)
    return Elsewhere(host, port)


def address_of(text: str, *, option: str) -> tuple[str, int]:
    """Split `HOST:PORT`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or ":" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise PlanError(f"{option} {text}: expected HOST:PORT, such as {DEFAULT_BIND}")
    return host, int(port)


def require_bindable(host: str, port: int) -> None:
    """Insist that workers can join there, before a whole stack is started for nothing."""
    if host in ("0.0.0.0", "*"):
        raise PlanError(f"--bind {host}:{port}: expected an address that workers can connect to")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, family=socket.AF_INET, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise PlanError(
            f"--bind {host}:{port}: {error.strerror}; expected an address of this machine and a "
            "free port"
        ) from error


def require_reachable(place: Elsewhere | None, plan: Plan) -> None:
    """Refuse workers of other hosts where the shop is on loopback whatever they ask for."""
    if place is not None and plan.stack == "containers" and not place.host.startswith("127."):
        raise PlanError(
            f"--bind {place.host}:{place.port}: the containers stack is on loopback alone; "
            "expected `stack: embedded`, or workers on this machine"
        )


def require_sendable(place: Elsewhere | None, plan: Plan) -> None:
    """Insist that what the plan names can be handed to workers, before a stack is started."""
    if place is not None:
        enclosed_by(TrafficOrder("", "", resolved(plan), "", adapter_of(plan)))


def order_of(plan: Plan, run: RunDirectory, topology: Topology) -> TrafficOrder:
    """Return what the generator is told: the plan, where the shop is, where evidence goes."""
    return TrafficOrder(
        run_id=run.run_id,
        run_dir=str(run.path.resolve()),
        plan=resolved(plan),
        base_url=topology.shop_url,
        **way_to(plan, topology),
    )


def resolved(plan: Plan) -> dict[str, Any]:
    """Return the plan as the generator reads it back."""
    return plan.model_dump(mode="json", by_alias=True, exclude_none=True)


def job(order: TrafficOrder, plan: Plan, place: Elsewhere | None) -> Job:
    """Return how traffic is made: by one process, by several here, or by workers elsewhere.

    None of these processes has our working folder.
    """
    order = moved(order, lambda path: str(Path(path).absolute()))
    patience_s = plan.traffic.patience + plan.traffic.timeout
    draw_s = sum(plan.traffic.counts.values()) * DRAW_WITHIN_S
    workers = plan.traffic.workers
    if place is not None:
        host = urlsplit(order.base_url).hostname or place.host
        order = replace(order, allow_hosts=(*order.allow_hosts, host))
        crew = CrewOrder(order, workers, host=place.host, port=place.port, elsewhere=True)
        return Job(
            msgspec.json.encode(crew),
            patience_s,
            command=MASTER,
            ready_within_s=JOIN_WITHIN_S + draw_s,
        )
    ready_within_s = READY_BOUND_S + draw_s
    if workers == 1:
        return Job(msgspec.json.encode(order), patience_s, ready_within_s=ready_within_s)
    crew = CrewOrder(order, workers)
    return Job(
        msgspec.json.encode(crew),
        patience_s,
        command=MASTER,
        workers=workers,
        ready_within_s=ready_within_s,
    )


def told_in_words(news: News, place: Elsewhere | None) -> str | None:
    """Return what people have to know of what happened to the generator."""
    if news.what == "listening" and place is not None:
        return (
            f"waiting {JOIN_WITHIN_S:g} s for workers: doorbuster worker --join "
            f"{place.host}:{place.port}"
        )
    if news.what == "joined":
        return f"worker {news.worker} joined from {news.host} (process {news.pid})"
    if news.what == "refused":
        return f"a worker from {news.host} (process {news.pid}) was refused: {news.message}"
    return news.message or None
