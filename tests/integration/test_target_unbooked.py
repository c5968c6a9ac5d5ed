"""Money has moved and is not booked yet: never told as "nothing done", and never given up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.database.primary import Connection
from target_app.jobs import run_once
from tests.integration.running_shop import OPS, Rehearsed, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration

LOST = [UnavailableError("no primary"), UnknownOutcomeError("cut while committing")]


def lose_books_after(monkeypatch: pytest.MonkeyPatch, run: Rehearsed, error: Exception) -> None:
    """Let the next transaction commit, and refuse whatever is wanted of the database later."""
    database = run.shop.database
    transaction = database.transaction

    @asynccontextmanager
    async def lost() -> AsyncIterator[Connection]:
        raise error
        yield

    @asynccontextmanager
    async def last_transaction() -> AsyncIterator[Connection]:
        async with transaction() as connection:
            yield connection
        monkeypatch.setattr(database, "transaction", lost)
        monkeypatch.setattr(database, "connection", lost)

    monkeypatch.setattr(database, "transaction", last_transaction)


@pytest.mark.parametrize("error", LOST, ids=["unavailable", "unknown"])
def test_a_capture_that_is_not_booked_is_processing(
    shop_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            path = f"/v1/orders/{order_id}"
            await run.client.post(
                f"{path}/payments",
                json={"method": "card", "capture_method": "manual"},
                headers={"Idempotency-Key": "p"},
            )
            with monkeypatch.context() as lost:
                lose_books_after(lost, run, error)
                answer = await run.client.post(f"{path}/capture", headers={"Idempotency-Key": "c"})
            assert (answer.status_code, answer.json()["status"]) == (202, "payment_processing")
            assert [charge["state"] for charge in run.charges(order_id)] == ["captured"]
            await run.age("next_query_at", table="payments", by_s=5)
            await run_once(run.shop)
            assert await run.status(order_id) == "paid"

    asyncio.run(scenario())


@pytest.mark.parametrize("error", LOST, ids=["unavailable", "unknown"])
def test_a_refund_that_is_not_booked_is_pending(
    shop_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            await run.pay(order_id, "p")
            with monkeypatch.context() as lost:
                lose_books_after(lost, run, error)
                answer = await run.client.post(
                    f"/v1/orders/{order_id}/refunds", json={}, headers={"Idempotency-Key": "r"}
                )
            told = answer.json()
            assert (answer.status_code, told["state"]) == (202, "pending")
            assert (told["amount"], told["order_status"]) == (9900, "refund_pending")
            await run.age("next_try_at", table="refunds", by_s=5)
            await run_once(run.shop)
            assert await run.status(order_id) == "refunded"
            assert (await run.client.get("/ops/quiescence", headers=OPS)).json()["quiet"]

    asyncio.run(scenario())


@pytest.mark.parametrize("job", ["charges", "refunds"])
def test_what_was_asked_for_hours_is_asked_again(shop_dsn: str, tmp_path: Path, job: str) -> None:
    """Each pause is twice the one before, up to a limit; the doubling must not outgrow a number."""

    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            run.behave(mode="timeout_after_capture", on=["charge", "refund"])
            assert (await run.pay(order_id, "p")).status_code == 202
            payments = "UPDATE payments SET queries = 5000, next_query_at = now()"
            async with run.shop.database.connection() as connection:
                await connection.execute(payments)
            await run_once(run.shop)
            assert await run.status(order_id) == "paid"
            if job == "charges":
                return
            path, key = f"/v1/orders/{order_id}/refunds", {"Idempotency-Key": "r"}
            assert (await run.client.post(path, json={}, headers=key)).status_code == 202
            async with run.shop.database.connection() as connection:
                await connection.execute("UPDATE refunds SET tries = 5000, next_try_at = now()")
            await run_once(run.shop)
            assert await run.status(order_id) == "refunded"

    asyncio.run(scenario())
