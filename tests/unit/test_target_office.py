"""The back office of a shop elsewhere: which books it reads, and when the shop is at rest."""

import pytest

from doorbuster.errors import PlanError
from doorbuster.plan.target import Target
from doorbuster.run import ReadFailed
from doorbuster.rundir import RunDirectory
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
