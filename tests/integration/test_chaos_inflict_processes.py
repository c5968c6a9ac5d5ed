"""Faults of real processes, and of the real payment provider's behaviour."""

import http.server
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from chaos.hands import Hands
from chaos.inflict import inflict
from chaos.probe import is_ended, is_going, is_stopped
from doorbuster.errors import DoorbusterError, FaultStuck
from doorbuster.stack.component import LocalComponent, end_all
from doorbuster.stack.place import temporary_place
from doorbuster.stack.process import Place, Program
from doorbuster.stack.ready import http_probe
from tests.chaos_fakes import FakeApi, FakeComponent, FakeJournal, fault, topology

pytestmark = pytest.mark.integration

TICKER = """
import time
while True:
    with open("ticks", "a") as ticks:
        ticks.write(".")
    time.sleep(0.01)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with temporary_place(f"test{uuid.uuid4().hex[:8]}", logs=tmp_path) as place:
        yield place


def started(component: LocalComponent) -> Iterator[LocalComponent]:
    component.start()
    try:
        component.wait_ready()
        yield component
    finally:
        end_all([component])


@pytest.fixture
def ticker(place: Place) -> Iterator[LocalComponent]:
    home = place.home_of("storefront-1")
    program = Program(
        component="storefront-1",
        command=(sys.executable, "-c", TICKER),
        home=home,
        log=place.logs / "ticker.log",
    )

    def ready(_: LocalComponent) -> str:
        return "" if ticks(home) else "no tick yet"

    yield from started(
        LocalComponent(program, run_id=place.run_id, address="127.0.0.1:1", ready=ready)
    )


@pytest.fixture
def provider(place: Place) -> Iterator[LocalComponent]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    home = place.home_of("provider")
    program = Program(
        component="provider",
        command=(sys.executable, "-m", "target_app", "provider", "--port", address[10:]),
        home=home,
        log=place.logs / "provider.log",
        environment={
            "PROVIDER_STORE": str(home / "book.sqlite"),
            "PROVIDER_WEBHOOK_URL": "http://127.0.0.1:1/",
            "PROVIDER_WEBHOOK_SECRET": "secret",
        },
    )
    health = http_probe(address, "/healthz")
    yield from started(
        LocalComponent(program, run_id=place.run_id, address=address, ready=lambda _: health())
    )


def hands_on(component: LocalComponent) -> Hands:
    parts = replace(topology([component]), provider_direct_url=f"http://{component.address}")
    return Hands(parts, FakeApi(), FakeJournal(), seed=7)


def behaviour(component: LocalComponent) -> dict[str, object]:
    answer = httpx.get(f"http://{component.address}/psp/_sim", trust_env=False)
    return dict(answer.json())


def ticks(home: Path) -> int:
    path = home / "ticks"
    return path.stat().st_size if path.exists() else 0


def test_a_paused_process_does_nothing_and_then_goes_on(ticker: LocalComponent) -> None:
    home = ticker.program.home
    pids = ticker.pids()
    with inflict(fault("storefront-1", pause={}), hands_on(ticker)):
        assert is_stopped(ticker)
        before = ticks(home)
        time.sleep(0.2)
        assert ticks(home) == before
    assert is_going(ticker)
    assert ticker.pids() == pids


def test_a_killed_process_is_gone_and_then_another_one_is_there(ticker: LocalComponent) -> None:
    pids = ticker.pids()
    with inflict(fault("storefront", kill={}), hands_on(ticker)):
        assert is_ended(ticker)
    assert ticker.pids()
    assert not set(pids) & set(ticker.pids())


def test_the_provider_misbehaves_while_the_fault_lasts(provider: LocalComponent) -> None:
    respond = {"mode": "timeout_after_capture", "share": "30%"}
    with inflict(fault("provider", respond=respond), hands_on(provider)):
        now = behaviour(provider)
        assert (now["mode"], now["share"], now["seed"]) == ("timeout_after_capture", 0.3, 7)
    assert behaviour(provider)["mode"] == "normal"


def test_a_provider_that_is_not_there_is_stuck(provider: LocalComponent) -> None:
    """Here something else listens where the provider should: it answers, but not that."""
    slow = fault("provider", respond={"mode": "slow", "delay": "1s"})
    hands = hands_on(provider)
    elsewhere = replace(hands.topology, provider_direct_url=f"http://{provider.address}/elsewhere")
    with (
        pytest.raises(FaultStuck, match=r"curl -X PUT .*normal.*/elsewhere/psp/_sim") as stuck,
        inflict(slow, replace(hands, topology=elsewhere)),
    ):
        pytest.fail("the fault was not seen to act")
    assert isinstance(stuck.value.__context__, DoorbusterError)


class Stubborn(http.server.BaseHTTPRequestHandler):
    """Takes every request for a change and changes nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"mode": "normal"}')

    do_PUT = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def stubborn_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stubborn) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_provider_that_answers_and_does_not_obey_is_an_error(stubborn_url: str) -> None:
    parts = replace(topology([FakeComponent("provider")]), provider_direct_url=stubborn_url)
    with (
        pytest.raises(DoorbusterError, match="says its mode is 'normal'"),
        inflict(
            fault("provider", respond={"mode": "slow"}),
            Hands(parts, FakeApi(), FakeJournal(), seed=7),
        ),
    ):
        pytest.fail("the fault was not seen to act")


def test_a_provider_that_was_killed_meanwhile_has_nothing_to_lift(provider: LocalComponent) -> None:
    with inflict(fault("provider", respond={"mode": "slow"}), hands_on(provider)):
        provider.kill()
    provider.restart()
    assert behaviour(provider)["mode"] == "normal"
