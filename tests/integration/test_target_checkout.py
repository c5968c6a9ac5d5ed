"""Checkout against a real Postgres: stock, keys, opening times, the end of holds."""

import asyncio
from pathlib import Path

import pytest

from target_app.jobs import expire_holds
from tests.integration.running_shop import OPS, OVER, running_shop
from tests.integration.shop_database import WAITING, postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = pytest.mark.integration


def test_fifty_buyers_of_ten_units_get_ten(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=10)
            answers = await asyncio.gather(*(run.check_out(f"k{n}") for n in range(50)))
            assert sorted(a.status_code for a in answers) == [201] * 10 + [409] * 40
            assert {a.json()["code"] for a in answers if a.status_code == 409} == {"sold_out"}
            assert await run.stock() == (0, 10, 0)
            orders = [row for row in await run.ledger() if row["table"] == "orders"]
            assert len(orders) == 10

    asyncio.run(scenario())


def test_crossed_lines_do_not_deadlock(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=100)
            ways = ({"HOT": 1, "BASE": 1}, {"BASE": 1, "HOT": 1})
            answers = await asyncio.gather(
                *(run.check_out(f"k{n}", lines=ways[n % 2]) for n in range(60))
            )
            assert {a.status_code for a in answers} == {201}
            assert await run.stock("HOT") == (40, 60, 0)
            assert await run.stock("BASE") == (40, 60, 0)

    asyncio.run(scenario())


def test_a_line_that_is_sold_out_takes_nothing_of_the_others(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=1)
            wishes = [run.check_out(f"k{n}", lines={"BASE": 1, "HOT": 1}) for n in range(8)]
            answers = await asyncio.gather(*wishes)
            assert sorted(a.status_code for a in answers) == [201] + [409] * 7
            assert await run.stock("BASE") == (99, 1, 0)

    asyncio.run(scenario())


def test_a_repeated_key_replays_one_order(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            first = await run.check_out("k")
            again = await run.check_out("k")
            assert (first.status_code, again.status_code) == (201, 201)
            assert again.content == first.content
            assert "Idempotent-Replayed" not in first.headers
            assert again.headers["Idempotent-Replayed"] == "true"
            assert await run.stock() == (9, 1, 0)

    asyncio.run(scenario())


def test_a_hundred_at_once_under_one_key_make_one_order(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            answers = await asyncio.gather(*(run.check_out("k") for _ in range(100)))
            made = {a.json()["order_id"] for a in answers if a.status_code == 201}
            others = [a for a in answers if a.status_code != 201]
            assert len(made) == 1
            assert {(a.status_code, a.json()["code"]) for a in others} <= {(409, "key_in_flight")}
            assert await run.stock() == (9, 1, 0)

    asyncio.run(scenario())


def test_a_key_in_flight_elsewhere_is_told_so(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            async with run.shop.database.transaction() as connection:
                await connection.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended('checkout k', 0))"
                )
                answer = await run.check_out("k")
            assert (answer.status_code, answer.json()["code"]) == (409, "key_in_flight")
            # Nothing of it stays behind: the key is free as soon as its transaction is over.
            assert (await run.check_out("k")).status_code == 201

    asyncio.run(scenario())


def test_a_row_that_stays_locked_ends_in_nothing_done(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, patience_s=1) as run:
            await run.sale()
            async with run.shop.database.transaction() as connection:
                await connection.execute("SELECT FROM stock WHERE sku = 'HOT' FOR UPDATE")
                refused = await run.check_out("k")
                assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
                assert (await run.check_out("other", lines={"BASE": 1})).status_code == 201
                # The server notices that nobody waits for the row any more, while it is locked.
                for _ in range(300):
                    await asyncio.sleep(0.1)
                    if not await connection.fetchval(WAITING):
                        break
                assert await connection.fetchval(WAITING) == 0
            assert await run.stock() == (10, 0, 0)
            assert (await run.check_out("k")).status_code == 201

    asyncio.run(scenario())


def test_a_key_with_another_body_is_refused(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            assert (await run.check_out("k")).status_code == 201
            other = await run.check_out("k", customer="somebody else")
            assert (other.status_code, other.json()["code"]) == (422, "key_mismatch")

    asyncio.run(scenario())


def test_the_databases_clock_opens_and_closes_the_sale(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(starts_in_s=60)
            early = await run.check_out("early")
            assert (early.status_code, early.json()["code"]) == (403, "not_started")
            campaign = (await run.client.get("/v1/campaigns/sale")).json()
            assert (campaign["phase"], campaign["skus"]) == ("scheduled", ["BASE", "HOT"])
            await run.sale(**OVER)
            late = await run.check_out("late")
            assert (late.status_code, late.json()["code"]) == (410, "campaign_ended")
            # A refusal is not stored: the same key is judged anew once the sale is open.
            await run.sale()
            assert (await run.check_out("early")).status_code == 201

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ({"NO-SUCH": 1}, (404, "unknown_sku")),
        ({"HOT": 0}, (422, "invalid_body")),
        ({"HOT": 11}, (409, "sold_out")),
    ],
)
def test_what_cannot_be_ordered(
    shop_dsn: str, tmp_path: Path, lines: dict[str, int], expected: tuple[int, str]
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=10)
            answer = await run.check_out("k", lines=lines)
            assert (answer.status_code, answer.json()["code"]) == expected
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert await run.stock() == (10, 0, 0)

    asyncio.run(scenario())


def test_no_key_is_refused_before_anything_else(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            answer = await run.client.post("/v1/checkouts", json={})
            assert (answer.status_code, answer.json()["code"]) == (400, "key_missing")

    asyncio.run(scenario())


def test_an_expired_hold_gives_its_units_back_once(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path, hold_s=60) as run:
            await run.sale()
            order_id = await run.ordered("k")
            await expire_holds(run.shop)
            assert await run.stock() == (9, 1, 0)  # not yet due
            await run.age("expires_at", table="orders", by_s=61)
            assert await run.status(order_id) == "expired"  # by predicate, nobody has swept yet
            refused = await run.pay(order_id, "p")
            assert (refused.status_code, refused.json()["code"]) == (409, "order_expired")
            await asyncio.gather(*(expire_holds(run.shop) for _ in range(5)))
            assert await run.stock() == (10, 0, 0)
            rows = await run.ledger()
            assert [r["state"] for r in rows if r["table"] == "reservations"] == ["expired"]
            events = [
                (r["from_status"], r["to_status"]) for r in rows if r["table"] == "order_events"
            ]
            assert events == [(None, "pending_payment"), ("pending_payment", "expired")]

    asyncio.run(scenario())


def test_cancelling_gives_the_units_back_and_may_be_repeated(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            for _ in range(2):
                answer = await run.client.post(f"/v1/orders/{order_id}/cancel")
                assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
            assert await run.stock() == (10, 0, 0)
            refused = await run.pay(order_id, "p")
            assert (refused.status_code, refused.json()["code"]) == (409, "order_cancelled")


def test_only_an_unpaid_order_is_cancelled(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            paid, expired = await run.ordered("paid"), await run.ordered("expired")
            await run.pay(paid, "p")
            await run.age("expires_at", table="orders", by_s=3600)
            for order_id, code in ((paid, "not_cancellable"), (expired, "order_expired")):
                refused = await run.client.post(f"/v1/orders/{order_id}/cancel")
                assert (refused.status_code, refused.json()["code"]) == (409, code), order_id

    asyncio.run(scenario())


def test_the_ledger_is_whole_and_says_so(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=700)
            for n in range(0, 600, 20):
                await asyncio.gather(*(run.check_out(f"k{m}") for m in range(n, n + 20)))
            rows = await run.ledger()
            assert rows[-1] == {"table": "end", "rows": len(rows) - 1}
            counts = {t: sum(r["table"] == t for r in rows) for t in ("orders", "order_lines")}
            assert counts == {"orders": 600, "order_lines": 600}
            order = next(r for r in rows if r["table"] == "orders")
            assert list(order) == [
                *("table", "order_id", "client_ref", "user_ref", "status", "total", "currency"),
                *("created_at", "updated_at", "version"),
            ]

    asyncio.run(scenario())


def test_ops_wants_the_token(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            for path in ("/ops/ledger", "/ops/quiescence", "/ops/inventory"):
                assert (await run.client.get(path)).status_code == 401
                assert (await run.client.get(path, headers=OPS)).status_code == 200

    asyncio.run(scenario())


def test_starting_a_sale_empties_the_shop(shop_dsn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale()
            order_id = await run.ordered("k")
            await run.pay(order_id, "p")
            await run.sale(stock=3)
            assert {r["table"] for r in await run.ledger()} == {"stock", "offers", "sales", "end"}
            assert (await run.client.get(f"/v1/orders/{order_id}")).status_code == 404
            product = (await run.client.get("/v1/products/HOT")).json()
            assert (product["stock_hint"], product["price"]) == (3, 9900)
            again = await run.check_out("k")  # keys of the last sale are forgotten as well
            assert (again.status_code, "Idempotent-Replayed" in again.headers) == (201, False)

    asyncio.run(scenario())
