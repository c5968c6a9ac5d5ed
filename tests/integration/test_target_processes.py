"""The shop's programs as they are started: ports, signals, crashes, environment."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.integration.running_shop import OPS
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
READY_BOUND_S = 60.0
CHARGE = {
    "merchant_ref": "o_1",
    "amount": 9900,
    "currency": "EUR",
    "method": "card",
    "confirm": True,
}


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "target_app", *arguments]


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        program(*arguments), cwd=ROOT, env=os.environ | environment, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ready(url: str) -> Iterator[httpx.Client]:
    """Yield a client of `url` once it answers; each request is a connection of its own."""
    once = {"Connection": "close"}
    with httpx.Client(base_url=url, trust_env=False, timeout=10, headers=once) as client:
        deadline = time.monotonic() + READY_BOUND_S
        while not is_up(client):
            assert time.monotonic() < deadline, f"{url} did not come up"
            time.sleep(0.05)
        yield client


def is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def provider_environment(folder: Path, shop_port: int) -> dict[str, str]:
    return {
        "PROVIDER_STORE": str(folder / "book.sqlite"),
        "PROVIDER_WEBHOOK_URL": f"http://127.0.0.1:{shop_port}/v1/webhooks/psp",
        "PROVIDER_WEBHOOK_SECRET": "webhooks",
    }


def storefront_environment(dsn: str, provider_port: int, **other: str) -> dict[str, str]:
    return {
        "STOREFRONT_DATABASES": dsn,
        "STOREFRONT_PROVIDER_URL": f"http://127.0.0.1:{provider_port}",
        "STOREFRONT_OPS_TOKEN": "ops",
        "STOREFRONT_WEBHOOK_SECRET": "webhooks",
        **other,
    }


def test_the_providers_book_survives_a_kill(tmp_path: Path) -> None:
    port = free_port()
    environment = provider_environment(tmp_path, free_port())
    url = f"http://127.0.0.1:{port}"
    key = {"Idempotency-Key": "pay:1"}
    with started("provider", "--port", str(port), **environment) as first, ready(url) as client:
        before = client.post("/psp/intents", json=CHARGE, headers=key).json()
        first.send_signal(signal.SIGKILL)
        first.wait()
    with started("provider", "--port", str(port), **environment), ready(url) as client:
        found = client.get("/psp/intents", params={"merchant_ref": "o_1"}).json()
        assert found == {"intents": [before]}
        assert client.post("/psp/intents", json=CHARGE, headers=key).json() == before
        lines = [json.loads(line) for line in client.get("/psp/book").text.splitlines()]
        assert [line["table"] for line in lines] == ["charges", "end"]
        assert (lines[0]["psp_key"], lines[0]["state"]) == ("pay:1", "captured")
        assert lines[1] == {"table": "end", "rows": 1}


def test_replicas_share_a_port_and_a_sale_runs_through(shop_dsn: str, tmp_path: Path) -> None:
    """Two replicas, the provider, its webhook: and SIGTERM finishes a payment that is under way."""
    port, provider_port = free_port(), free_port()
    settings = storefront_environment(shop_dsn, provider_port, STOREFRONT_PROVIDER_TIMEOUT_S="10")
    with (
        started("provider", "--port", str(provider_port), **provider_environment(tmp_path, port)),
        started("storefront", "--port", str(port), **settings, STOREFRONT_REPLICA="one") as one,
        started("storefront", "--port", str(port), **settings, STOREFRONT_REPLICA="two"),
        ready(f"http://127.0.0.1:{provider_port}") as provider,
        ready(f"http://127.0.0.1:{port}") as shop,
    ):
        seen: set[str] = set()
        deadline = time.monotonic() + READY_BOUND_S
        while seen != {"one", "two"}:
            assert time.monotonic() < deadline, seen
            seen.add(shop.get("/healthz").json()["replica"])
        sale = {
            "starts_at": "2020-01-01T00:00:00Z",
            "items": [{"sku": "HOT", "stock": 5, "price": 9900}],
        }
        assert shop.put("/ops/sale", json=sale, headers=OPS).status_code == 200
        provider.put("/psp/_sim", json={"mode": "slow", "delay_s": 2.0})
        paid: list[httpx.Response] = []
        payers = [
            threading.Thread(target=lambda n=n: paid.append(buy(shop, f"k{n}"))) for n in range(4)
        ]
        for payer in payers:
            payer.start()
        wait_for_intents(shop, 4)
        one.send_signal(signal.SIGTERM)
        assert one.wait(20) == 0
        for payer in payers:
            payer.join()
        assert [answer.status_code for answer in paid] == [200] * 4
        inventory = shop.get("/ops/inventory", headers=OPS).json()
        assert inventory == [{"sku": "HOT", "initial": 5, "available": 1, "reserved": 0, "sold": 4}]


def buy(shop: httpx.Client, key: str) -> httpx.Response:
    wish = {
        "client_ref": key,
        "customer": key,
        "campaign_id": "sale",
        "lines": [{"sku": "HOT", "qty": 1}],
    }
    headers = {"Idempotency-Key": key}
    order = shop.post("/v1/checkouts", json=wish, headers=headers).json()
    path = f"/v1/orders/{order['order_id']}/payments"
    return shop.post(path, json={"method": "card"}, headers=headers)


def wait_for_intents(shop: httpx.Client, payments: int) -> None:
    """Wait until so many payments have begun, so that none still knocks at a closing door."""
    deadline = time.monotonic() + READY_BOUND_S
    while shop.get("/ops/ledger", headers=OPS).text.count('"table":"payments"') < payments:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_wrong_settings_are_all_named_and_exit_with_2() -> None:
    settings = storefront_environment("mysql://nowhere", 1, STOREFRONT_RESERVATION="hopeful")
    del settings["STOREFRONT_OPS_TOKEN"]
    settings["STOREFRONT_HODL_S"] = "5"
    done = subprocess.run(
        program("storefront", "--port", "0"),
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    named = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert sorted(named) == [
        "STOREFRONT_DATABASES",
        "STOREFRONT_HODL_S",
        "STOREFRONT_OPS_TOKEN",
        "STOREFRONT_RESERVATION",
    ]


def test_describe_prints_strategies_and_flaws() -> None:
    done = subprocess.run(program("describe"), cwd=ROOT, capture_output=True, check=True)
    described = json.loads(done.stdout)
    strategies = {s["id"]: (s["correct"], s["seen_by"]) for s in described["strategies"]}
    assert strategies["conditional_update"] == (True, [])
    assert strategies["naive"] == (False, ["no_oversell", "stock_conserved"])
    flaws = {f["id"]: (f["correct"], f["seen_by"]) for f in described["flaws"]}
    assert flaws["P1"] == (False, ["no_double_charge"])
