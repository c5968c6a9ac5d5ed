"""Stand-ins for what faults act with, kept in memory: a proxy server, a journal, a component."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.hands import Hands
from doorbuster.components import Component, DatabaseNode, Topology
from doorbuster.errors import DoorbusterError
from doorbuster.faults import Fault
from doorbuster.journal import JournalEvent

RUN = "test-run"
CONNECTIONS = ("edge", "payments", "webhooks", "replication")
NODES = ("postgres-a", "postgres-b")


class FakeApi:
    """A Toxiproxy in memory. A call named in `failing` is refused the given number of times."""

    def __init__(self) -> None:
        self.enabled = {f"doorbuster-{RUN}-{name}": True for name in (*CONNECTIONS, *NODES)}
        self.standing: dict[str, dict[str, Any]] = {name: {} for name in self.enabled}
        self.calls: list[str] = []
        self.failing: dict[str, int] = {}

    @property
    def state(self) -> object:
        return dict(self.enabled), {proxy: dict(toxics) for proxy, toxics in self.standing.items()}

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if self.failing.get(call, 0) > 0:
            self.failing[call] -= 1
            raise DoorbusterError(f"{call}: no answer")

    def enable(self, name: str) -> None:
        self._called(f"enable {name}")
        self.enabled[name] = True

    def disable(self, name: str) -> None:
        self._called(f"disable {name}")
        self.enabled[name] = False

    def add_toxic(
        self,
        proxy: str,
        *,
        name: str,
        type: str,
        attributes: Mapping[str, int],
        stream: str = "downstream",
        toxicity: float = 1.0,
    ) -> None:
        self._called(f"add {proxy}")
        if name in self.standing[proxy]:
            raise DoorbusterError("409 toxic already exists")
        self.standing[proxy][name] = (type, stream, dict(attributes), toxicity)

    def remove_toxic(self, proxy: str, name: str) -> None:
        self._called(f"remove {proxy}")
        self.standing[proxy].pop(name, None)

    def toxics(self, proxy: str) -> Sequence[Mapping[str, Any]]:
        members = ("type", "stream", "attributes", "toxicity")
        return [
            {"name": name, **dict(zip(members, toxic, strict=True))}
            for name, toxic in self.standing[proxy].items()
        ]

    def recreate(self, name: str) -> None:
        self._called(f"recreate {name}")
        self.enabled[name] = True
        self.standing[name] = {}

    def point(self, name: str, *, upstream: str) -> None:
        self._called(f"point {name} to {upstream}")


class FakeJournal:
    """Remembers events as (kind, name, detail)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []

    def record(self, kind: Any, edge: Any, name: str, **detail: Any) -> JournalEvent:
        self.events.append((kind, name, detail))
        return JournalEvent(kind, edge, name, "", 0.0, detail)


@dataclass
class FakeComponent:
    """A component without processes; it remembers what was done to it."""

    name: str
    address: str = "127.0.0.1:1"
    logs: Path = Path("component.log")
    done: list[str] = field(default_factory=list)
    unable: str = ""
    busy: list[int] = field(default_factory=list)

    def _do(self, deed: str) -> None:
        self.done.append(deed)
        if deed == self.unable:
            raise DoorbusterError(f"{self.name} cannot {deed}")

    def pids(self) -> Sequence[int]:
        return ()

    def kill(self) -> None:
        self._do("kill")

    def pause(self) -> None:
        self._do("pause")

    def resume(self) -> None:
        self._do("resume")

    def restart(self) -> None:
        self._do("restart")

    def launch(self) -> None:
        self._do("launch")

    def end(self, grace_s: float) -> None:
        self._do("end")

    def start_hog(self, *, cores: int, bound_s: float) -> None:
        self._do("start_hog")
        self.busy = list(range(cores))

    def hogs(self) -> Sequence[int]:
        return self.busy

    def end_hog(self) -> None:
        self._do("end_hog")
        self.busy = []


def fault(on: str, *, name: str = "", **kind: Any) -> Fault:
    ending = {"failover", "failback", "restart", "flush"}
    lasting = {} if ending & kind.keys() else {"for": "5s"}
    return Fault.model_validate({"at": "rush", "on": on, "name": name, **lasting, **kind})


class NoFiles:
    """The files of a server that nobody is to touch."""

    def follow(self) -> None:
        raise AssertionError("its files were to be replaced")

    back_up = restore = follow


def node_of(component: Component) -> DatabaseNode:
    dsn = f"postgresql://{component.address}/shop"
    proxy = f"doorbuster-{RUN}-{component.name}"
    return DatabaseNode(
        component,
        direct_dsn=dsn,
        proxied_dsn=dsn,
        proxy=proxy,
        upstream=component.address,
        files=NoFiles(),
    )


def topology(
    components: Sequence[Component] = (), *, proxy_api: str = "http://127.0.0.1:8474"
) -> Topology:
    return Topology(
        run_id=RUN,
        components={component.name: component for component in components},
        database=[node_of(FakeComponent(name)) for name in NODES],
        proxies={name: [f"doorbuster-{RUN}-{name}"] for name in CONNECTIONS},
        proxy_api=proxy_api,
        shop_url="",
        shop_direct_url="",
        provider_direct_url="",
        ops_token="",
    )


def hands(api: FakeApi, journal: FakeJournal, *components: Component) -> Hands:
    return Hands(
        topology(components),
        api,
        journal,
        seed=7,
        listening=lambda _, proxy: api.enabled[proxy],
        patience_s=0.0,
    )
