"""What a storefront's log says about a purchase, and what it must never say."""

import json
import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.integration.redis_server import RedisServer, redis_server
from tests.integration.shop_database import postgres, shop_dsn
from tests.integration.test_target_processes import (
    ROOT,
    buy,
    free_port,
    program,
    provider_environment,
    ready,
    started,
    storefront_environment,
)
from tests.waiting import eventually

__all__ = ["postgres", "redis_server", "shop_dsn"]
pytestmark = pytest.mark.integration

SALE = {"starts_at": "2020-01-01T00:00:00Z", "items": [{"sku": "HOT", "stock": 9, "price": 100}]}
TICKETS = "/v1/queue/tickets"
OPS_TOKEN, WEBHOOK_SECRET, PASSWORD = "s3cret-ops", "s3cret-webhook", "s3cret-password"


def taken(shop: httpx.Client, customer: str) -> dict[str, str]:
    """Return a place in the line: whoever knows its id has it."""
    place = shop.post("/v1/queue/sale/tickets", json={"customer": customer})
    assert place.is_success, place.text
    return dict(place.json())


def let_in(shop: httpx.Client, customer: str) -> dict[str, str]:
    assert eventually(lambda: taken(shop, customer)["status"] == "admitted")
    return taken(shop, customer)


def test_the_log_names_key_and_order_and_no_secret(
    shop_dsn: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    """A purchase from the line on, a place given up and one that nobody can look for, a webhook
    with a bad signature, and a first node that cannot be reached.
    """
    port, provider_port = free_port(), free_port()
    good = shop_dsn.replace("postgres@", f"postgres:{PASSWORD}@")
    nowhere = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{free_port()}/x"
    settings = storefront_environment(f"{nowhere},{good}", provider_port) | {
        "STOREFRONT_OPS_TOKEN": OPS_TOKEN,
        "STOREFRONT_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STOREFRONT_REDIS_URL": redis_server.url,
        "STOREFRONT_WAITING_ROOM_RATE": "1000",
        "STOREFRONT_WAITING_ROOM_ACTIVE": "9",
    }
    sold_by = {"Authorization": f"Bearer {OPS_TOKEN}"}
    shop_side = provider_environment(tmp_path, port) | {"PROVIDER_WEBHOOK_SECRET": WEBHOOK_SECRET}
    with (
        started("provider", "--port", str(provider_port), **shop_side),
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            program("storefront", "--port", str(port)),
            cwd=ROOT,
            env=os.environ | settings,
            stderr=log,
        ) as process,
    ):
        try:
            with (
                ready(f"http://127.0.0.1:{provider_port}"),
                ready(f"http://127.0.0.1:{port}") as shop,
            ):
                assert shop.put("/ops/sale", json=SALE, headers=sold_by).status_code == 200
                ours, other = let_in(shop, "key-7"), let_in(shop, "eve")
                shop.headers["Admission-Token"] = ours["admission_token"]
                assert shop.delete(f"{TICKETS}/{other['ticket_id']}").status_code == 200
                paid = buy(shop, "key-7")
                assert paid.status_code == 200
                forged = shop.post("/v1/webhooks/psp", content=b"{}", headers={"X-Request-Id": "f"})
                assert (forged.status_code, forged.headers["X-Request-Id"]) == (400, "f")
                redis_server.kill()
                assert shop.get(f"{TICKETS}/{ours['ticket_id']}").status_code == 503
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    text = (tmp_path / "log").read_text()
    assert "s3cret" not in text
    bearers = (ours["ticket_id"], ours["admission_token"], other["ticket_id"])
    assert not any(bearer in text for bearer in bearers)
    tell_of_purchase_and_line(text, order_id=paid.json()["order_id"])


def tell_of_purchase_and_line(text: str, *, order_id: str) -> None:
    lines = [json.loads(line) for line in text.splitlines()]
    told = [
        (line.get("key"), line.get("order_id"), line["message"].split(" in ")[0]) for line in lines
    ]
    assert ("key-7", order_id, "POST /v1/orders/{order_id}/payments 200") in told
    assert ("key-7", order_id, "POST /v1/checkouts 201") in told
    messages = [message for _key, _order_id, message in told]
    assert f"DELETE {TICKETS}/{{ticket_id}} 200" in messages
    assert f"GET {TICKETS}/{{ticket_id}} 503" in messages
    answered = [line for line in lines if line["logger"].endswith("stamp")]
    requests = [line["request_id"] for line in answered]
    assert "f" in requests
    assert len(set(requests)) == len(requests)
