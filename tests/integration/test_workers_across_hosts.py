"""Workers in a network of their own: another host, as far as sockets can tell.

A pair of virtual interfaces joins the two networks; taking one down is what a pulled cable is.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.server import choose_proxy
from chaos.toxiproxy import ToxiproxyApi
from doorbuster.cli.stacks import own_or_shared
from doorbuster.cli.traffic import Elsewhere
from doorbuster.plan import load_plan
from doorbuster.plan.target import Target
from doorbuster.run import Stopped
from doorbuster.stack.external import external
from doorbuster.stack.order import StackOrder
from doorbuster.stack.ports import free_ports
from doorbuster.trust import trusting
from tests.integration.test_scenarios_workers import (
    SEEN_WITHIN_S,
    SLACK_S,
    Crew,
    joining,
    play,
    seen_to_be_lost,
    words_of,
)
from tests.other_shops import other_shop, respond_forms
from tests.scenarios_fakes import PLAN, FakeShop, new_traffic_run

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

ONE = PLAN + "  workers: 1\n"


@dataclass(frozen=True)
class Network:
    """A second network: its name, our address in it, and how to do something over there."""

    name: str
    cable: str
    host: str

    @property
    def inside(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        ip("link", "set", self.cable, "down")


def ip(*arguments: str) -> None:
    subprocess.run(("ip", *arguments), check=True, capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("only root with the `ip` command can make a network")
    number = os.getpid() % 200 + 20
    found = Network(f"doorbuster-{os.getpid()}", f"dbt{number}", f"198.18.{number}.1")
    try:
        ip("netns", "add", found.name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network can be made here: {error.stderr!r}")
    try:
        ip("link", "add", found.cable, "type", "veth", "peer", "name", "eth0", "netns", found.name)
        ip("addr", "add", f"{found.host}/30", "dev", found.cable)
        ip("link", "set", found.cable, "up")
        ip("-n", found.name, "addr", "add", f"198.18.{number}.2/30", "dev", "eth0")
        ip("-n", found.name, "link", "set", "eth0", "up")
        ip("-n", found.name, "link", "set", "lo", "up")
        yield found
    finally:
        ip("netns", "delete", found.name)


@pytest.fixture
def crew(network: Network, tmp_path: Path) -> Crew:
    loaded = load_plan(ONE, source="test", environ={})
    (port,) = free_ports(1)
    return Crew(loaded, new_traffic_run(tmp_path, loaded), Elsewhere(network.host, port))


def test_worker_that_cannot_reach_the_shop_is_refused(network: Network, crew: Crew) -> None:
    """The shop is on our loopback, which is not the worker's."""
    with FakeShop() as shop, joining(crew, before=network.inside) as worker:

        def enough() -> None:
            if crew.told("refused"):
                raise Stopped("seen", by_hand=True)

        with pytest.raises(Stopped), crew.generating(shop.url, tick=enough):
            raise AssertionError("it began without workers")
        said = words_of(worker)
    assert worker.returncode == 2
    assert f"cannot reach the shop at {shop.url}" in said
    (refused,) = crew.told("refused")
    assert "cannot reach the shop" in refused.message


LOOK = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=10) as answer:
    print(answer.read().decode())
"""


def test_shop_elsewhere_is_reached_through_the_run_s_proxy(
    network: Network, tmp_path: Path
) -> None:
    """Faults on `edge` put a proxy on our host; workers of other hosts have to get at it."""
    run_id = f"edge-{os.getpid()}"
    choice = choose_proxy("embedded", environ={}, which=shutil.which)
    order = StackOrder(run_id, tmp_path, ToxiproxyApi, edge_host=network.host)
    with other_shop(respond_forms) as shop:
        target = Target(base_url=shop.url)
        with external(order, target, proxy=own_or_shared(choice), trust=trusting(None)) as topology:
            command = (sys.executable, "-c", LOOK, f"http://{topology.via}/item/HOT")
            done = subprocess.run(
                (*network.inside, *command), capture_output=True, text=True, timeout=30, check=False
            )
    assert "left" in done.stdout, done.stderr


def test_pulled_cable_is_seen_and_the_worker_keeps_what_it_has(
    network: Network, crew: Crew
) -> None:
    """The last one here, since the cable stays out."""
    with (
        FakeShop(host=network.host) as shop,
        joining(crew, before=network.inside) as worker,
        crew.generating(shop.url) as running,
    ):
        play(running, crew, until_s=1.0)
        network.cut()
        assert seen_to_be_lost(running) < SEEN_WITHIN_S + SLACK_S
        began_s = time.monotonic()
        running.finish(now=True)
        assert time.monotonic() - began_s < 10
        said = words_of(worker)
    assert worker.returncode == 4
    assert "nothing was heard of the rehearsal" in said
    kept = Path(said.rsplit("kept in ", 1)[1].split()[0])
    assert (kept / "operations" / "traffic-0.ndjson").stat().st_size
    shutil.rmtree(kept.parent)
    (lost,) = crew.told("lost")
    assert lost.kept is False
    assert crew.events(), "what came home before the cable was pulled"
