"""The whole embedded stack: every connection through the proxy, and nothing left afterwards."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from chaos.toxiproxy import ToxiproxyApi
from doorbuster import leftovers
from doorbuster.components import Topology
from doorbuster.errors import MissingPrerequisite, TargetNotReady
from doorbuster.stack.component import LocalComponent
from doorbuster.stack.embedded import embedded
from doorbuster.stack.order import StackOrder
from doorbuster.stack.place import temporary_place
from doorbuster.stack.ports import LOOPBACK, free_ports
from doorbuster.stack.postgres import ask
from doorbuster.stack.process import Program
from doorbuster.stack.proxies import OwnProxy, SharedProxy
from doorbuster.stack.ready import Probe, http_probe, wait_until_ready
from doorbuster.stack.shop import ShopCommands, with_port

pytestmark = pytest.mark.integration

PROXY_COMMAND = (sys.executable, "-m", "chaos.proxy", "-host", LOOPBACK, "-port", "{port}")
OWN_PROXY = OwnProxy(PROXY_COMMAND)
STREAMING = "SELECT count(*) = 1 FROM pg_stat_replication"


def order_for(logs: Path) -> StackOrder:
    return StackOrder(
        run_id=f"test{uuid.uuid4().hex[:8]}",
        logs=logs,
        open_api=ToxiproxyApi,
        replicas=2,
    )


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    with embedded(order_for(tmp_path_factory.mktemp("logs")), OWN_PROXY) as topology:
        yield topology


def ready_at(url: str) -> Probe:
    return http_probe(urlsplit(url).netloc, "/readyz")


def await_ready(topology: Topology, probe: Probe) -> None:
    log = topology.components["storefront-1"].logs
    wait_until_ready(probe, what="the shop", log=log, alive=lambda: True)


@contextmanager
def severed(topology: Topology, connection: str) -> Iterator[None]:
    """Take the proxies of a connection down and up again."""
    api = ToxiproxyApi(topology.proxy_api)
    with ExitStack() as exits:
        exits.callback(api.close)
        for proxy in topology.proxies[connection]:
            exits.callback(api.enable, proxy)
            api.disable(proxy)
        yield


def test_the_shop_is_reached_through_the_edge(up: Topology) -> None:
    assert ready_at(up.shop_url)() == ""
    with severed(up, "edge"):
        assert "ConnectionRefused" in ready_at(up.shop_url)()
        assert ready_at(up.shop_direct_url)() == ""
    await_ready(up, ready_at(up.shop_url))


def test_the_shop_reaches_its_database_through_the_proxy(up: Topology) -> None:
    with severed(up, "postgres"):
        assert "503" in ready_at(up.shop_direct_url)()
        assert ask(up.database[0].direct_dsn, "SELECT true") is True
    await_ready(up, ready_at(up.shop_direct_url))


def test_the_standby_follows_through_the_proxy(up: Topology) -> None:
    dsn = up.database[0].direct_dsn
    assert ask(dsn, STREAMING) is True
    with severed(up, "replication"):
        assert ask(dsn, STREAMING) is False
    await_ready(up, lambda: "" if ask(dsn, STREAMING) else "not streaming")


def test_shop_and_provider_are_told_of_each_others_proxies(up: Topology) -> None:
    listening = {name: port_of(up, name) for name in ("payments", "webhooks")}
    (storefront, *_), (provider, *_) = (
        up.components[name].pids() for name in ("storefront-1", "provider")
    )
    to_provider = psutil.Process(storefront).environ()["STOREFRONT_PROVIDER_URL"]
    to_shop = psutil.Process(provider).environ()["PROVIDER_WEBHOOK_URL"]
    assert to_provider == f"http://{LOOPBACK}:{listening['payments']}"
    assert to_shop == f"http://{LOOPBACK}:{listening['webhooks']}/v1/webhooks/psp"


def port_of(topology: Topology, connection: str) -> int:
    """Return where the proxy of a connection listens, by asking the operating system."""
    (proxy,) = topology.components["proxy"].pids()
    listening = {
        c.laddr.port
        for c in psutil.Process(proxy).net_connections("tcp")
        if c.status == psutil.CONN_LISTEN
    }
    with severed(topology, connection):
        still = {
            c.laddr.port
            for c in psutil.Process(proxy).net_connections("tcp")
            if c.status == psutil.CONN_LISTEN
        }
    (port,) = listening - still
    return port


def test_a_killed_replica_leaves_the_other_serving_and_comes_back(up: Topology) -> None:
    first, second = up.components["storefront-1"], up.components["storefront-2"]
    assert first.address == second.address
    first.kill()
    assert not first.pids()
    assert [ready_at(up.shop_url)() for _ in range(10)] == [""] * 10
    first.restart()
    second.kill()
    assert [ready_at(up.shop_url)() for _ in range(10)] == [""] * 10
    second.restart()


def test_every_component_of_the_plan_can_be_named(up: Topology) -> None:
    names = ["postgres-a", "postgres-b", "provider", "proxy", "storefront-1", "storefront-2"]
    assert sorted(up.components) == names
    assert sorted(up.proxies) == ["edge", "payments", "postgres", "replication", "webhooks"]
    assert [node.component.name for node in up.database] == ["postgres-a", "postgres-b"]
    for component in up.components.values():
        assert component.pids()
        assert component.logs.exists()


def test_everything_listens_on_loopback_only(up: Topology) -> None:
    for component in up.components.values():
        for pid in component.pids():
            sockets = psutil.Process(pid).net_connections("inet")
            assert {s.laddr.ip for s in sockets} <= {LOOPBACK}


def test_a_failing_body_leaves_nothing_even_of_paused_parts(tmp_path: Path) -> None:
    order = order_for(tmp_path)
    with pytest.raises(ZeroDivisionError):
        fail_with_everything_paused(order)
    leftovers.require_nothing_left(order.run_id)


def fail_with_everything_paused(order: StackOrder) -> None:
    with embedded(order, OWN_PROXY) as topology:
        for component in topology.components.values():
            component.pause()
        raise ZeroDivisionError


def test_a_shop_that_does_not_start_is_quoted_and_leaves_nothing(tmp_path: Path) -> None:
    broken = ShopCommands(storefront=("sh", "-c", "echo the shelf is empty; exit 3"))
    order = order_for(tmp_path)
    with (
        pytest.raises(TargetNotReady, match=r"(?s)storefront-1 ended while .*the shelf is empty"),
        embedded(order, OWN_PROXY, broken),
    ):
        pass
    leftovers.require_nothing_left(order.run_id)


@pytest.fixture
def shared_proxy(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a Toxiproxy that somebody else runs."""
    (port,) = free_ports(1)
    with temporary_place(f"test{uuid.uuid4().hex[:8]}", logs=tmp_path) as place:
        command = with_port(PROXY_COMMAND, port)
        program = Program("part", command, place.home_of("part"), place.logs / "shared.log")
        address = f"{LOOPBACK}:{port}"
        version = http_probe(address, "/version")
        proxy = LocalComponent(
            program, run_id=place.run_id, address=address, ready=lambda _: version()
        )
        proxy.start()
        proxy.wait_ready()
        yield f"http://{address}"
        proxy.kill()


def test_on_a_shared_proxy_only_our_own_are_made_and_removed(
    tmp_path: Path, shared_proxy: str
) -> None:
    api = ToxiproxyApi(shared_proxy)
    api.create("theirs", listen=f"{LOOPBACK}:0", upstream=f"{LOOPBACK}:1")
    order = order_for(tmp_path)
    with embedded(order, SharedProxy(shared_proxy)) as topology:
        ours = {proxy for proxies in topology.proxies.values() for proxy in proxies}
        assert {name.startswith(f"doorbuster-{order.run_id}-") for name in ours} == {True}
        assert set(api.names()) == {"theirs", *ours}
        assert ready_at(topology.shop_url)() == ""
        assert "proxy" not in topology.components
    assert api.names() == ["theirs"]
    api.close()


def test_a_shared_proxy_that_does_not_answer_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    order, proxy = order_for(tmp_path), SharedProxy(f"http://{LOOPBACK}:{port}")
    with (
        pytest.raises(MissingPrerequisite, match=f"no Toxiproxy at .*{port}"),
        embedded(order, proxy),
    ):
        pass
    leftovers.require_nothing_left(order.run_id)


DIRECTOR = """
import sys, time
from pathlib import Path
from chaos.toxiproxy import ToxiproxyApi
from doorbuster.stack.embedded import embedded
from doorbuster.stack.order import StackOrder
from doorbuster.stack.proxies import OwnProxy
run_id, logs, *command = sys.argv[1:]
proxy = OwnProxy(tuple(command))
with embedded(StackOrder(run_id, Path(logs), ToxiproxyApi), proxy):
    print("up", flush=True)
    time.sleep(60)
"""


def test_a_killed_director_leaves_no_process_and_the_rest_can_be_swept(tmp_path: Path) -> None:
    """No watchdog here: the death signal alone ends all, since nothing is paused."""
    run_id = order_for(tmp_path).run_id
    command = [sys.executable, "-c", DIRECTOR, run_id, str(tmp_path), *PROXY_COMMAND]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as director:
        assert director.stdout is not None
        assert director.stdout.readline() == b"up\n"
        assert leftovers.processes_of(run_id)
        director.kill()
    wait_until_ready(
        lambda: ", ".join(leftovers.title(p) for p in leftovers.processes_of(run_id)),
        what="the end of the run's processes",
        log=tmp_path / "none",
        alive=lambda: True,
        bound_s=10.0,
    )
    assert leftovers.folders_of(run_id)
    leftovers.sweep(run_id)
    leftovers.require_nothing_left(run_id)
