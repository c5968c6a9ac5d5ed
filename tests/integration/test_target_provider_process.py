"""The provider as a process: what it owes after a kill, and settings for its deliveries."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.test_target_processes import free_port, provider_environment, ready, started
from tests.waiting import eventually

pytestmark = pytest.mark.integration

CHARGE = {"merchant_ref": "o_1", "amount": 9900, "currency": "EUR", "method": "card"}


@contextmanager
def shop_listening(port: int) -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []

    class Hearing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", port), Hearing) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        try:
            yield heard
        finally:
            server.shutdown()
            serving.join()


def charged(client: httpx.Client, key: str, **other: str) -> dict[str, Any]:
    answer = client.post("/psp/intents", json=CHARGE | other, headers={"Idempotency-Key": key})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def undelivered(client: httpx.Client) -> list[str]:
    events = client.get("/psp/events", params={"delivered": False}).json()["events"]
    return [event["psp_key"] for event in events]


def test_a_killed_provider_keeps_its_word(tmp_path: Path) -> None:
    """Holds are still held, events that did not arrive are sent, those meant to be lost stay so."""
    port, shop_port = free_port(), free_port()
    environment = provider_environment(tmp_path, shop_port)
    url = f"http://127.0.0.1:{port}"
    with started("provider", "--port", str(port), **environment) as first, ready(url) as client:
        held = charged(client, "held", capture_method="manual")
        client.put("/psp/_sim", json={"mode": "webhook_lost"})
        charged(client, "lost")
        client.put("/psp/_sim", json={"mode": "slow", "delay_s": 30})
        # Nobody waits for this one's answer: it is captured, then the process dies.
        with pytest.raises(httpx.ReadTimeout):
            client.post(
                "/psp/intents", json=CHARGE, headers={"Idempotency-Key": "slow"}, timeout=1.0
            )
        first.send_signal(signal.SIGKILL)
        first.wait()
    with (
        shop_listening(shop_port) as heard,
        started("provider", "--port", str(port), **environment),
        ready(url) as client,
    ):
        assert client.get("/psp/_sim").json()["mode"] == "normal"
        found = client.get("/psp/intents", params={"merchant_ref": "o_1"}).json()["intents"]
        assert [(charge["psp_key"], charge["status"]) for charge in found] == [
            ("held", "requires_capture"),
            ("lost", "succeeded"),
            ("slow", "succeeded"),
        ]
        assert eventually(lambda: len(heard) == 2)
        captured = client.post(f"/psp/intents/{held['id']}/capture")
        assert captured.json()["status"] == "succeeded"
        assert eventually(lambda: len(heard) == 3)
        told = [(event["type"], event["psp_key"]) for event in heard]
        assert sorted(told[:2]) == [("payment.authorized", "held"), ("payment.succeeded", "slow")]
        assert told[2:] == [("payment.succeeded", "held")]
        assert eventually(lambda: undelivered(client) == ["lost"])


def test_how_long_it_insists_is_a_setting(tmp_path: Path) -> None:
    port = free_port()
    environment = {
        **provider_environment(tmp_path, free_port()),
        "PROVIDER_WEBHOOK_ATTEMPTS": "2",
        "PROVIDER_WEBHOOK_PAUSE_S": "0.01",
    }
    with (
        started("provider", "--port", str(port), **environment),
        ready(f"http://127.0.0.1:{port}") as client,
    ):
        charged(client, "k")

        def tries() -> list[tuple[object, str]]:
            (event,) = client.get("/psp/events").json()["events"]
            return [(tried["status"], tried["problem"]) for tried in event["deliveries"]]

        assert eventually(lambda: len(tries()) == 2)
        assert not eventually(lambda: len(tries()) > 2, bound_s=0.3)
        assert tries() == [(None, "ConnectError")] * 2
