"""Reading a run directory: cut lines, bad lines, missing files, explicit types."""

import tempfile
from pathlib import Path

import pytest

from doorbuster.errors import DoorbusterError
from doorbuster.ledger import LedgerPayment
from doorbuster.rundir import RunDirectory
from doorbuster.series import GeneratorSecond, OperationSecond
from reports.checks.stock import stock_conserved
from reports.evidence import read_run, run_of
from tests.unit.reports_fixture import PLAN, books_read, clock, event, write_run


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return write_run(tmp_path / "fixture" / "20261123T090000Z")


def cut(path: Path, by: int) -> None:
    path.write_bytes(path.read_bytes()[:-by])


def test_an_id_that_looks_like_a_date_stays_a_text() -> None:
    with run_of(PLAN, stock_seconds=[], generator_seconds=[GeneratorSecond(1, offered=2)]) as run:
        run.connection.execute(
            "INSERT INTO plan_stock SELECT * FROM (VALUES ('2026-11-23', 5::BIGINT))"
        )
        assert run.rows("SELECT sku FROM plan_stock WHERE sku LIKE '2026%'") == [
            {"sku": "2026-11-23"}
        ]


def test_a_date_like_order_is_read_as_it_is_written(run: RunDirectory) -> None:
    orders = run.ledger / "orders.ndjson"
    orders.write_text(orders.read_text().replace('"O-100"', '"2026-11-23"'))
    with read_run(run) as evidence:
        found = evidence.rows("SELECT order_id FROM orders ORDER BY order_id LIMIT 1")
    assert found == [{"order_id": "2026-11-23"}]


def test_a_cut_last_line_is_left_out_and_counted(run: RunDirectory) -> None:
    events = run.operations / "0.ndjson"
    whole = events.read_bytes().count(b"\n")
    cut(events, by=7)
    before = events.read_bytes()
    with read_run(run) as evidence:
        assert evidence.row("SELECT count(*) AS n FROM events") == {"n": whole - 1}
        assert evidence.cut_lines == {"operations/0.ndjson": 1}
    assert events.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["latency/0.hlog", "series/stock.ndjson", "ledger/orders.ndjson", "journal.ndjson"]
)
def test_every_kind_of_file_may_be_cut(run: RunDirectory, name: str) -> None:
    cut(run.path / name, by=3)
    with read_run(run) as evidence:
        assert dict(evidence.cut_lines) == {name: 1}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("operations/0.ndjson", '{"type": "invoke", "id": "x"'),
        ("operations/0.ndjson", '{"type": "invoke", "id": "x"}'),
        ("series/stock.ndjson", '{"at_s": "soon"}'),
        ("ledger/orders.ndjson", "[]"),
        ("latency/0.hlog", "Tag=reserve.intended,1,1.000,0.1,HISTFAAA"),
        ("latency/0.hlog", "garbage"),
        ("journal.ndjson", '{"kind": "dream"}'),
    ],
)
def test_any_other_bad_line_is_named(run: RunDirectory, name: str, line: str) -> None:
    path = run.path / name
    first, rest = path.read_text().split("\n", 1)
    path.write_text(f"{first}\n{line}\n{rest}")
    with pytest.raises(DoorbusterError, match=rf"{name}:2: "), read_run(run):
        pass


def test_a_log_that_is_no_text_is_a_bad_line(run: RunDirectory) -> None:
    path = run.latency / "0.hlog"
    path.write_bytes(b"\x00\xff\n" + path.read_bytes())
    with pytest.raises(DoorbusterError, match=r"latency/0.hlog:1: expected Tag="), read_run(run):
        pass


def test_a_plan_that_cannot_be_read_is_told_in_one_line(run: RunDirectory) -> None:
    run.plan.write_text('{"plan": {"name": true}}')
    with pytest.raises(DoorbusterError, match=r"name: expected a text; .*sale: ") as caught:
        read_run(run).__enter__()
    assert "\n" not in str(caught.value)
    assert "http" not in str(caught.value)


def test_half_a_ledger_is_no_proof_that_stock_does_not_add_up(run: RunDirectory) -> None:
    (run.ledger / "orders.ndjson").unlink()
    with read_run(run) as evidence:
        verdict = stock_conserved(evidence)
    assert verdict.ruling == "unknown"
    assert "the shop's ledger is cut" in verdict.evidence


def test_a_bad_line_of_a_cut_file_is_named_by_the_file_itself(run: RunDirectory) -> None:
    path = run.operations / "0.ndjson"
    path.write_text("{}\n" + path.read_text()[:-5])
    with pytest.raises(DoorbusterError, match=rf"{path}:1: "), read_run(run):
        pass


def test_a_directory_with_nothing_but_a_plan_is_empty_evidence(run: RunDirectory) -> None:
    for path in run.path.rglob("*"):
        if path.is_file() and path != run.plan:
            path.unlink()
    with read_run(run) as evidence:
        assert evidence.row("SELECT count(*) AS n FROM events") == {"n": 0}
        assert evidence.row("SELECT count(*) AS n FROM latency") == {"n": 0}
        assert (evidence.ledger_unread, evidence.journal) == (
            "the shop's ledger was never read",
            (),
        )


def test_a_plan_of_another_shape_is_a_failure_of_the_harness(run: RunDirectory) -> None:
    run.plan.write_text('{"schema": 1}')
    with pytest.raises(DoorbusterError, match=r"plan\.json: no plan"), read_run(run):
        pass


def test_left_out_fields_have_their_defaults() -> None:
    with run_of(PLAN, operation_seconds=[OperationSecond(3, "view", due=2)]) as run:
        assert run.rows("SELECT second, op, due, ok, info FROM operation_seconds") == [
            {"second": 3, "op": "view", "due": 2, "ok": 0, "info": 0}
        ]


def test_an_optional_field_may_be_null() -> None:
    unsent = LedgerPayment("P-1", "O-1", "key", None, "created", 9900, "2026-11-23T09:00:00Z")
    with run_of(PLAN, payments=[unsent]) as run:
        assert run.rows("SELECT payment_id, psp_ref FROM payments") == [
            {"payment_id": "P-1", "psp_ref": None}
        ]


READS = {
    "whole": (books_read(0, 0), True),
    "no end": (books_read(0, 0)[:-1], False),
    "failed": ([event("stage", "end", "final read", 52.0)], False),
    "not begun": ([], False),
}


@pytest.mark.parametrize(("events", "read"), READS.values(), ids=READS)
def test_the_books_are_evidence_only_when_they_were_read_to_the_end(
    events: list, read: bool
) -> None:
    with run_of(PLAN, [clock(), *events]) as run:
        assert (run.ledger_was_read, run.provider_was_read) == (read, read)


def test_a_reader_that_is_killed_leaves_nothing(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it unpacks has no name that could stay behind, copies of cut files among them."""
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(unpacked))
    with next(run.latency.glob("*.hlog")).open("a") as log:
        log.write("Tag=reserve.intended,3")
    with read_run(run) as read:
        assert read.cut_lines
        assert read.row("SELECT count(*) AS n FROM latency")["n"]
        assert not list(unpacked.iterdir())
