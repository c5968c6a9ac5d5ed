"""Bodies that never come or are too large, sent to a running shop: told so, and without a trace."""

import json
import socket
from typing import Any

import httpx
import pytest

from target_app.admission.body import SHOPPERS_BYTES_MAX
from tests.integration.running_shop import OPS
from tests.integration.shop_database import postgres, shop_dsn
from tests.integration.test_target_processes import (
    free_port,
    ready,
    started,
    storefront_environment,
)
from tests.waiting import eventually

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

PLACES = 2
LONGEST = "x" * 200
SALE = {"starts_at": "2020-01-01T00:00:00Z", "items": [{"sku": LONGEST, "stock": 9, "price": 100}]}
ANNOUNCED = (
    b"POST /v1/checkouts HTTP/1.1\r\nHost: x\r\nIdempotency-Key: x\r\nContent-Length: 9\r\n\r\n"
)


def check_out(shop: httpx.Client, **other: str) -> httpx.Response:
    body: dict[str, Any] = {"client_ref": LONGEST, "customer": LONGEST, "campaign_id": "sale"}
    body |= {"lines": [{"sku": LONGEST, "qty": 1}], **other}
    return shop.post("/v1/checkouts", json=body, headers={"Idempotency-Key": "key"})


def heard(caller: socket.socket) -> tuple[bytes, Any]:
    """Return the status and the body of an answer, up to the end of the connection."""
    text = b""
    while part := caller.recv(65536):
        text += part
    head, _, body = text.partition(b"\r\n\r\n")
    return head.split()[1], json.loads(body)


def test_places_are_not_held_by_bodies_that_never_come(shop_dsn: str) -> None:
    port = free_port()
    settings = storefront_environment(shop_dsn, free_port())
    settings |= {"STOREFRONT_MAX_CHECKOUTS": str(PLACES), "STOREFRONT_BODY_PATIENCE_S": "3"}
    with (
        started("storefront", "--port", str(port), **settings),
        ready(f"http://127.0.0.1:{port}") as shop,
    ):
        assert shop.put("/ops/sale", json=SALE, headers=OPS).status_code == 200
        callers = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(PLACES)]
        for caller in callers:
            caller.sendall(ANNOUNCED)
        assert eventually(lambda: shop.get("/v1/orders/nobody").json()["code"] == "shed")
        for caller in callers:
            status, told = heard(caller)
            assert (status, told["code"]) == (b"408", "body_too_slow")
            caller.close()
        long = check_out(shop, client_ref="x" * 10_000)
        assert (long.status_code, long.json()["code"]) == (422, "invalid_body")
        huge = check_out(shop, client_ref="x" * SHOPPERS_BYTES_MAX)
        assert (huge.status_code, huge.json()["code"]) == (413, "body_too_large")
        assert check_out(shop).status_code == 201
        ledger = shop.get("/ops/ledger", headers=OPS).text
        orders = [row for row in map(json.loads, ledger.splitlines()) if row["table"] == "orders"]
        assert [order["client_ref"] for order in orders] == [LONGEST]
        paths = shop.get("/openapi.json").json()["paths"]
        assert {"408", "413"} <= set(paths["/v1/checkouts"]["post"]["responses"])
        assert "408" not in paths["/v1/orders/{order_id}"]["get"]["responses"]
