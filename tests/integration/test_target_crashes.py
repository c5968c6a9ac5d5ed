"""Kill -9 at each step of a payment; after a restart the reconciliation makes the books agree."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from target_app.payments.steps import Step
from target_app.signatures import SIGNATURE_HEADER, sign
from tests.integration.running_shop import OPS
from tests.integration.shop_database import postgres, shop_dsn
from tests.integration.test_target_processes import (
    READY_BOUND_S,
    ROOT,
    free_port,
    provider_environment,
    ready,
    started,
    storefront_environment,
)

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

SALE = {
    "starts_at": "2020-01-01T00:00:00Z",
    "items": [{"sku": "HOT", "stock": 5, "price": 9900}],
}
CHECKOUT = {
    "client_ref": "k",
    "customer": "c",
    "campaign_id": "sale",
    "lines": [{"sku": "HOT", "qty": 1}],
}


@contextmanager
def crashing(port: int, at: Step, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a storefront that ends itself at `at`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.crashing_shop", str(port), at],
        cwd=ROOT,
        env=os.environ | environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def pay(shop: httpx.Client, order_id: str, key: str) -> httpx.Response:
    return shop.post(
        f"/v1/orders/{order_id}/payments", json={"method": "card"}, headers={"Idempotency-Key": key}
    )


def cut(shop: httpx.Client, provider: httpx.Client, at: Step) -> str:
    """Order and pay until the shop dies; return the order."""
    assert shop.put("/ops/sale", json=SALE, headers=OPS).status_code == 200
    placed = shop.post("/v1/checkouts", json=CHECKOUT, headers={"Idempotency-Key": "k"})
    order_id = str(placed.json()["order_id"])
    if at is not Step.EVENT_REMEMBERED:
        with pytest.raises(httpx.TransportError):
            pay(shop, order_id, "p")
        return order_id
    provider.put("/psp/_sim", json={"mode": "timeout_after_capture", "first": 1})
    assert pay(shop, order_id, "p").status_code == 202
    body = json.dumps(announcement(provider, order_id)).encode()
    with pytest.raises(httpx.TransportError):
        shop.post(
            "/v1/webhooks/psp", content=body, headers={SIGNATURE_HEADER: sign(body, "webhooks")}
        )
    return order_id


def announcement(provider: httpx.Client, order_id: str) -> dict[str, object]:
    found = provider.get("/psp/intents", params={"merchant_ref": order_id}).json()
    (charge,) = found["intents"]
    return {
        "id": "evt_1",
        "type": "payment.succeeded",
        "intent_id": charge["id"],
        "merchant_ref": order_id,
        "psp_key": charge["psp_key"],
        "amount": charge["amount"],
    }


@pytest.mark.parametrize("at", Step)
def test_a_payment_cut_by_a_kill_is_finished_once(shop_dsn: str, tmp_path: Path, at: Step) -> None:
    port, provider_port = free_port(), free_port()
    settings = storefront_environment(shop_dsn, provider_port, STOREFRONT_PROVIDER_TIMEOUT_S="1")
    nowhere = provider_environment(tmp_path, free_port())
    with (
        started("provider", "--port", str(provider_port), **nowhere),
        ready(f"http://127.0.0.1:{provider_port}") as provider,
    ):
        with crashing(port, at, **settings) as dying, ready(f"http://127.0.0.1:{port}") as shop:
            order_id = cut(shop, provider, at)
            assert dying.wait(READY_BOUND_S) == -signal.SIGKILL
        with (
            started("storefront", "--port", str(port), **settings),
            ready(f"http://127.0.0.1:{port}") as shop,
        ):
            repeated, other = pay(shop, order_id, "p"), pay(shop, order_id, "another tab")
            assert repeated.status_code in {200, 202}
            assert other.status_code in {200, 409}
            deadline = time.monotonic() + READY_BOUND_S
            while not shop.get("/ops/quiescence", headers=OPS).json()["quiet"]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert shop.get(f"/v1/orders/{order_id}").json()["status"] == "paid"
            assert pay(shop, order_id, "p").status_code == 200
            stock = shop.get("/v1/skus/HOT/stock").json()
            assert (stock["available"], stock["reserved"], stock["sold"]) == (4, 0, 1)
            book = [json.loads(line) for line in provider.get("/psp/book").text.splitlines()]
            charges = [row for row in book if row["table"] == "charges"]
            assert [(row["merchant_ref"], row["state"]) for row in charges] == [
                (order_id, "captured")
            ]
            assert [row for row in book if row["table"] == "refunds"] == []
