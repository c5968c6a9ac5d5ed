"""What a shopper and the shop's operator ask of a shop, in as few words as a test needs."""

from datetime import UTC, datetime, timedelta

import httpx

from tests.waiting import eventually


def open_sale(shop: httpx.Client, *, ops_token: str, stock: int = 10) -> None:
    sale = {
        "starts_at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "ends_at": None,
        "items": [{"sku": "HOT", "stock": stock, "price": 4900}],
    }
    operator = {"Authorization": f"Bearer {ops_token}"}
    shop.put("/ops/sale", json=sale, headers=operator).raise_for_status()


def reserve(shop: httpx.Client, key: str) -> str:
    """Order one, trying again under the key while the shop has only just come back."""
    body = {
        "client_ref": key,
        "customer": key,
        "campaign_id": "sale",
        "lines": [{"sku": "HOT", "qty": 1}],
    }
    answers: list[httpx.Response] = []

    def answered() -> bool:
        headers = {"Idempotency-Key": key}
        answers.append(shop.post("/v1/checkouts", json=body, headers=headers))
        return answers[-1].status_code != 503

    assert eventually(answered, bound_s=60), answers[-1].text
    assert answers[-1].status_code == 201, answers[-1].text
    return str(answers[-1].json()["order_id"])


def pay(shop: httpx.Client, order_id: str) -> httpx.Response:
    key = {"Idempotency-Key": f"pay-{order_id}"}
    return shop.post(f"/v1/orders/{order_id}/payments", json={"method": "card"}, headers=key)


def shows_replication(shop: httpx.Client, *, standby: str = "postgres-b") -> bool:
    """Tell whether the shop's metrics come to say how far the standby is behind.

    Whoever may not look at the server's statistics is told of a standby without any positions.
    """
    wanted = [f'pg_replication_lag_{unit}{{standby="{standby}"}} ' for unit in ("seconds", "bytes")]

    def shown() -> bool:
        text = shop.get("/metrics").text
        return all(line in text for line in wanted)

    return eventually(shown, bound_s=20)
