"""What a scraper sees of a sale, and of a shop that cannot look into its books."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from target_app.database.pool import UnavailableError
from tests.integration.running_shop import Rehearsed, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(run: Rehearsed) -> Samples:
    text = (await run.client.get("/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_a_sale_in_figures(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=10)
            paid, _held = await run.ordered("paid"), await run.ordered("held")
            assert (await run.pay(paid, "pay")).status_code == 200
            assert (await run.pay(paid, "again")).status_code == 200
            seen = await scraped(run)
            route = {"http_request_method": "POST", "http_route": "/v1/checkouts"}
            count = "http_server_request_duration_seconds_count"
            assert value(seen, count, **route, http_response_status_code="201") == 2
            moves = {"source": "payment_processing", "target": "paid"}
            assert value(seen, "storefront_order_transitions_total", **moves) == 1
            assert value(seen, "storefront_paid_orders_total") == 1
            assert value(seen, "storefront_gmv_minor_units_total") == 9900
            stock = {
                state: value(seen, "storefront_stock_units", sku="HOT", state=state)
                for state in ("available", "reserved", "sold")
            }
            assert stock == {"available": 8, "reserved": 1, "sold": 1}
            assert value(seen, "storefront_active_reservations") == 1
            assert value(seen, "storefront_open_payments") == 0
            assert value(seen, "db_client_connection_max") == 20
            assert value(seen, "db_client_connection_pending_requests") == 0
            assert value(seen, "db_client_connection_wait_time_seconds_count") > 4
            assert value(seen, "http_server_active_requests", priority="checkout") == 0
            assert value(seen, "storefront_breaker_state", breaker="payments", state="closed") == 1
            assert value(seen, "storefront_breaker_state", breaker="payments", state="open") == 0

    asyncio.run(scenario())


def test_an_outage_leaves_the_books_as_they_were_and_older(
    shop_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=10)
            before = await scraped(run)

            def gone() -> None:
                raise UnavailableError("gone")

            monkeypatch.setattr(run.shop.database, "connection", gone)
            await asyncio.sleep(1.1)
            after = await scraped(run)
            hot = {"sku": "HOT", "state": "available"}
            assert value(after, "storefront_stock_units", **hot) == 10
            assert value(before, "storefront_books_age_seconds") < 1
            assert value(after, "storefront_books_age_seconds") > 1

    asyncio.run(scenario())


def test_a_breaker_that_opens_makes_the_shop_worse_not_unready(
    shop_dsn: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            assert (await run.client.get("/readyz")).json()["degraded"] == {}
            for _ in range(100):
                run.shop.provider.breaker.failed()
            said = await run.client.get("/readyz")
            assert (said.status_code, said.json()["status"]) == (200, "ready")
            assert said.json()["degraded"] == {"payments": "breaker open"}
            seen = await scraped(run)
            assert value(seen, "storefront_breaker_state", breaker="payments", state="open") == 1

    asyncio.run(scenario())
