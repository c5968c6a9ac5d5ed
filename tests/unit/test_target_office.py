"""The back office of a shop elsewhere: which books it reads, and when the shop is at rest."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from doorbuster.errors import PlanError
from doorbuster.ledger import LedgerAlert, LedgerOffer, LedgerRefund
from doorbuster.plan.target import Target
from doorbuster.run import ReadFailed
from doorbuster.rundir import RunDirectory
from doorbuster.sql_book import line_of
from doorbuster.target_office import TargetOffice
from tests.fakes import topology


def office(tmp_path, **target):
    run = RunDirectory(tmp_path / "run")
    run.create()
    found = {"base_url": "http://127.0.0.1:9", "settle": "0s", **target}
    return TargetOffice(Target.model_validate(found), topology(), run), run


def test_files_are_copied_and_counted(tmp_path):
    books = tmp_path / "books"
    books.mkdir()
    (books / "orders.ndjson").write_text('{"a": 1}\n{"a": 2}\n')
    (books / "stock.ndjson").write_text('{"b": 1}\n')
    (books / "else.ndjson").write_text("{}\n")
    with office(tmp_path, ledger={"folder": str(books)})[0] as one:
        assert one.read_ledger() == 3
    assert sorted(p.name for p in (tmp_path / "run" / "ledger").iterdir()) == [
        "orders.ndjson",
        "stock.ndjson",
    ]


def test_a_book_that_is_not_there_is_not_read(tmp_path):
    with office(tmp_path, ledger={"folder": str(tmp_path)})[0] as one:
        with pytest.raises(ReadFailed, match=r"orders\.ndjson is not there"):
            one.read_ledger()
        with pytest.raises(ReadFailed, match="offers none"):
            one.read_provider()
        assert one.is_quiet()


def test_rest_is_what_the_plan_gives_it(tmp_path):
    with office(tmp_path, settle="60s")[0] as one:
        assert not one.is_quiet()


def test_a_token_comes_from_the_environment(tmp_path, monkeypatch):
    book = {"url": "http://127.0.0.1:9/ledger", "token_env": "LEDGER_TOKEN"}
    monkeypatch.delenv("LEDGER_TOKEN", raising=False)
    with pytest.raises(PlanError, match="'LEDGER_TOKEN' is not set"):
        office(tmp_path, ledger=book)


QUERIES = {"orders": "SELECT 1"}


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        (None, "dsn_env 'SHOP_DSN' is not set"),
        ("mysql://u:geheim@127.0.0.1/shop", "SHOP_DSN is not of the form postgresql://"),
        ("postgresql:///shop?host=127.0.0.1", "SHOP_DSN is not of the form"),
        ("postgresql://u:geheim@127.0.0.1/shop?host=db.example", "SHOP_DSN is not of the form"),
        ("postgresql://u:geheim@db.example/shop", "'db.example', which is not in `allow_hosts`"),
    ],
)
def test_a_database_is_on_the_allow_list_and_its_password_in_no_message(
    tmp_path, monkeypatch, dsn, message
):
    monkeypatch.delenv("SHOP_DSN", raising=False)
    if dsn is not None:
        monkeypatch.setenv("SHOP_DSN", dsn)
    with pytest.raises(PlanError, match=message) as refused:
        office(tmp_path, ledger={"dsn_env": "SHOP_DSN", "queries": QUERIES})
    assert "geheim" not in str(refused.value)


def test_a_row_is_written_as_its_table_wants_it():
    vienna = datetime(2026, 7, 1, 20, 0, tzinfo=timezone(timedelta(hours=2)))
    row = {"refund_id": 7, "order_id": UUID(int=1), "psp_key": "k", "amount": Decimal("990.00"),
           "restock": True, "state": "done", "created_at": vienna, "more": object()}  # fmt: skip
    assert msgspec.json.decode(line_of(row, LedgerRefund)) == {
        "refund_id": "7",
        "order_id": "00000000-0000-0000-0000-000000000001",
        "psp_key": "k",
        "amount": 990,
        "restock": True,
        "state": "done",
        "created_at": "2026-07-01T18:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"sku": "HOT", "price": 1, "list_price": 2}, "missing required field `limit_per_user`"),
        ({"price": Decimal("9.90")}, "Expected `int`"),
        ({"sku": None}, "Expected `str`, got `null`"),
    ],
)
def test_a_row_that_is_none_is_refused(row, message):
    whole = {"sku": "HOT", "price": 1, "list_price": 2, "limit_per_user": None}
    with pytest.raises(ValueError, match=message):
        line_of(row if len(row) > 1 else whole | row, LedgerOffer)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="expected a timestamptz"):
        line_of({"sku": "HOT", "at": datetime(2026, 7, 1), "available": 1}, LedgerAlert)  # noqa: DTZ001
