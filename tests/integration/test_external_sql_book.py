"""A shop's ledger by SQL: its own tables, read on one snapshot, and never written to."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from doorbuster.ledger import LEDGER_TABLES, LedgerLine, LedgerOrder
from doorbuster.plan.target import Target
from doorbuster.run import ReadFailed
from doorbuster.rundir import RunDirectory, read_records
from doorbuster.sql_book import copy_by_sql
from doorbuster.target_office import TargetOffice
from tests.fakes import topology
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]

pytestmark = pytest.mark.integration

SHOP = """
CREATE TABLE purchases (
  id bigserial, note text, customer int, state text, cents numeric, at timestamptz
);
CREATE TABLE purchase_items (purchase bigint, sku text, qty smallint, cents bigint);
INSERT INTO purchases (note, customer, state, cents, at)
SELECT 'run-' || n, n, 'PAID', 9900, '2026-07-01 20:00+02' FROM generate_series(1, 2500) AS n;
INSERT INTO purchase_items SELECT id, 'HOT', 1, 9900 FROM purchases;
"""
ORDERS = """
SELECT id AS order_id, note AS client_ref, customer AS user_ref, lower(state) AS status,
  cents AS total, 'EUR' AS currency, at AS created_at, at AS updated_at, 1 AS version
FROM purchases ORDER BY id
"""
LINES = "SELECT purchase AS order_id, sku, qty, cents AS unit_price FROM purchase_items"


def execute(dsn: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(dsn, ssl=False)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def test_a_shop_of_its_own_tables_has_its_ledger_read(
    shop_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(shop_dsn, SHOP)
    monkeypatch.setenv("SHOP_DSN", shop_dsn)
    run = RunDirectory(tmp_path / "run")
    run.create()
    book = {"dsn_env": "SHOP_DSN", "queries": {"orders": ORDERS, "order_lines": LINES}}
    target = Target.model_validate({"base_url": "http://127.0.0.1:9", "ledger": book})
    with TargetOffice(target, topology(), run) as office:
        assert office.read_ledger() == 5000
    orders = list(read_records(run.ledger / "orders.ndjson", LedgerOrder))
    assert len(orders) == 2500
    assert orders[6] == LedgerOrder(
        "7", "run-7", "7", "paid", 9900, "EUR", *["2026-07-01T18:00:00+00:00"] * 2, 1
    )
    lines = list(read_records(run.ledger / "order_lines.ndjson", LedgerLine))
    assert {(line.sku, line.qty, line.unit_price) for line in lines} == {("HOT", 1, 9900)}
    assert len(list(run.ledger.iterdir())) == 2


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT nothing FROM purchases", "query of order_lines: column .* does not exist"),
        ("SELECT sku FROM purchase_items", "query of order_lines: .*missing required field"),
        ("DELETE FROM purchases RETURNING id", "in a read-only transaction"),
        ("SELECT 1; DELETE FROM purchases", "cannot insert multiple commands"),
    ],
)
def test_a_wrong_query_reads_nothing_and_changes_nothing(
    shop_dsn: str, tmp_path: Path, query: str, message: str
) -> None:
    execute(shop_dsn, SHOP)
    with pytest.raises(ReadFailed, match=message):
        copy_by_sql(shop_dsn, {"orders": ORDERS, "order_lines": query}, tmp_path, LEDGER_TABLES)
    assert not list(tmp_path.glob("*.ndjson"))
    assert copy_by_sql(shop_dsn, {"orders": ORDERS}, tmp_path, LEDGER_TABLES) == 2500


def test_a_database_that_does_not_answer_is_a_book_unread(tmp_path: Path) -> None:
    with pytest.raises(ReadFailed, match="by SQL"):
        copy_by_sql("postgresql://u@127.0.0.1:9/x", {"orders": ORDERS}, tmp_path, LEDGER_TABLES)
