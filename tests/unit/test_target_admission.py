"""Who is let in: priorities, limits that follow a standing queue, and the door itself."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from target_app.admission.door import RETRY_AFTER_MS, Admission, Door, limits_of
from target_app.admission.limit import Limit
from target_app.admission.priorities import Priority, priority_of
from target_app.admission.standing import INTERVAL_S, WAITS_MIN, StandingQueue
from target_app.metrics import Metrics
from target_app.settings import StorefrontSettings


@pytest.mark.parametrize(
    ("method", "path", "priority"),
    [
        ("GET", "/v1/products/HOT", "browse"),
        ("GET", "/v1/skus/HOT/stock", "browse"),
        ("POST", "/v1/sessions", "browse"),
        ("POST", "/v1/pricing/quote", "claim"),
        ("POST", "/v1/coupons/NEW/claim", "claim"),
        ("PUT", "/v1/carts/c/items", "browse"),
        ("POST", "/v1/checkouts", "checkout"),
        ("GET", "/v1/orders/o_1", "checkout"),
        ("GET", "/v1/orders", "checkout"),
        ("POST", "/v1/orders/o_1/payments", "payment"),
        ("POST", "/v1/orders/o_1/cancel", "payment"),
        ("POST", "/v1/webhooks/psp", "payment"),
        ("GET", "/", "browse"),
        ("GET", "/sale/HOT", "browse"),
        ("GET", "/orders/o_1/page", "checkout"),
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/metrics", None),
        ("GET", "/ops/ledger", None),
        ("PUT", "/ops/sale", None),
    ],
)
def test_what_a_request_is_for(method: str, path: str, priority: str | None) -> None:
    assert priority_of(method, path) == priority


def standing_after(waits: list[tuple[float, float]]) -> list[float]:
    told: list[float] = []
    queue = StandingQueue(told.append)
    for at_s, wait_s in waits:
        queue.waited(wait_s, at_s=at_s)
    return told


def test_the_luckiest_of_an_interval_says_whether_the_queue_stands() -> None:
    burst = [(0.02 * n, 0.5) for n in range(5)] + [(INTERVAL_S, 0.0)]
    standing = [(1.0 + 0.02 * n, 0.3 + 0.01 * n) for n in range(6)]
    assert standing_after(burst + standing) == [0.0, 0.3]


def test_a_few_slow_connections_are_no_queue() -> None:
    few = [(INTERVAL_S * 2 * n, 1.0) for n in range(WAITS_MIN - 1)]
    assert standing_after(few) == []
    assert standing_after([*few, (1.0, 0.9)]) == [0.9]


def test_a_limit_shrinks_from_what_is_in_flight_and_grows_back() -> None:
    limit = Limit(200, least=20, yields_at_s=0.2, in_flight=100)
    limit.adapt(0.21)
    assert limit.now == 70
    for _ in range(10):
        limit.adapt(0.5)
    assert limit.now == 20
    limit.adapt(0.1)
    assert limit.now == 40
    for _ in range(20):
        limit.adapt(0.0)
    assert limit.now == 200


def test_browsing_yields_first_and_payment_never() -> None:
    admission = Admission(limits_of(settings()))
    for limit in admission.limits.values():
        limit.in_flight = limit.most
    before = limits_now(admission)
    for n in range(WAITS_MIN):
        admission._queue.waited(0.15, at_s=float(n))
    browsing_cut = limits_now(admission)
    assert browsing_cut["browse"] < before["browse"]
    assert {**browsing_cut, "browse": 0} == {**before, "browse": 0}
    for n in range(WAITS_MIN):
        admission._queue.waited(0.18, at_s=10.0 + n)
    claims_cut = limits_now(admission)
    assert claims_cut["claim"] < before["claim"]
    assert claims_cut["checkout"] == before["checkout"]
    for n in range(WAITS_MIN):
        admission._queue.waited(0.25, at_s=20.0 + n)
    buying_cut = limits_now(admission)
    assert buying_cut["checkout"] < before["checkout"]
    assert buying_cut["payment"] == before["payment"]


def limits_now(admission: Admission) -> dict[str, int]:
    return {str(priority): limit.now for priority, limit in admission.limits.items()}


def settings(**other: Any) -> StorefrontSettings:
    needed = {
        "databases": ("postgresql://x",),
        "provider_url": "http://provider",
        "ops_token": "ops",
        "webhook_secret": "webhooks",
    }
    return StorefrontSettings.model_validate(needed | other)


@pytest.mark.parametrize(("name", "pool_size"), [("browsing", 20), ("checkouts", 20)])
def test_the_least_is_never_above_the_most(name: str, pool_size: int) -> None:
    limits = limits_of(settings(pool_size=pool_size, **{f"max_{name}": 2}))
    shrunk = limits[Priority.BROWSE if name == "browsing" else Priority.CHECKOUT]
    shrunk.adapt(99)
    assert shrunk.now == 2


class Room:
    """An application in which requests stay until they are let go."""

    def __init__(self) -> None:
        self.served: list[str] = []
        self.open = asyncio.Event()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.served.append(scope["path"])
        await self.open.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def knock(door: Door, method: str, path: str) -> tuple[int, dict[str, str]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the door must not read")

    await door({"type": "http", "method": method, "path": path, "headers": []}, receive, send)
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}


def test_the_door_turns_away_without_a_look_and_counts_who_has_left() -> None:
    async def scenario() -> None:
        room, metrics = Room(), Metrics("test")
        admission = Admission(limits_of(settings(max_checkouts=2)))
        door = Door(room, admission=admission, metrics=metrics, body_within_s=5)
        inside = [asyncio.create_task(knock(door, "POST", "/v1/checkouts")) for _ in range(2)]
        await asyncio.sleep(0)
        status, headers = await knock(door, "POST", "/v1/checkouts")
        assert status == 429
        least_ms, most_ms = RETRY_AFTER_MS
        assert least_ms / 1000 <= int(headers["retry-after"]) <= most_ms / 1000
        assert headers["refresh"] == headers["retry-after"], "for the browsers of those who wait"
        assert room.served == ["/v1/checkouts"] * 2
        room.open.set()
        assert (await knock(door, "POST", "/v1/orders/o/payments"))[0] == 200
        assert (await knock(door, "GET", "/readyz"))[0] == 200
        await asyncio.gather(*inside)
        assert (await knock(door, "POST", "/v1/checkouts"))[0] == 200
        assert [limit.in_flight for limit in admission.limits.values()] == [0, 0, 0, 0]
        assert (
            metrics.registry.get_sample_value("storefront_shed_total", {"priority": "checkout"})
            == 1
        )

    asyncio.run(scenario())


def test_who_fails_inside_has_left_too() -> None:
    async def failing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ConnectionError

    async def scenario() -> None:
        admission = Admission(limits_of(settings()))
        door = Door(failing, admission=admission, metrics=Metrics("test"), body_within_s=5)
        with pytest.raises(ConnectionError):
            await knock(door, "GET", "/v1/products/HOT")
        assert admission.limits[Priority.BROWSE].in_flight == 0

    asyncio.run(scenario())
