"""The back office against a shop that a test writes by hand."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from doorbuster.backoffice import READ_ATTEMPTS, READ_PAUSE_S, BackOffice
from doorbuster.clock import Clock
from doorbuster.errors import TargetNotReady
from doorbuster.ledger import LEDGER_TABLES, LedgerStock, ProviderCharge
from doorbuster.run import ReadFailed
from doorbuster.rundir import RunDirectory, read_records
from tests.fakes import changed, plan_of, topology

STOCK = LedgerStock("HOT-1", initial=20, adjusted=0, available=12, reserved=0, sold=8)
STOCK_LINE = (
    '{"table": "stock", "sku": "HOT-1", "initial": 20, "adjusted": 0, "available": 12, '
    '"reserved": 0, "sold": 8}\n'
)
CHARGE_LINE = (
    '{"table": "charges", "charge_id": "c1", "merchant_ref": "o1", "psp_key": "k1", '
    '"amount": 9900, "currency": "EUR", "state": "captured", "created_at": "2026-11-27T08:00:00Z"}'
)


def end(rows: int) -> str:
    return f'{{"table": "end", "rows": {rows}}}\n'


class Shop:
    """Gives its answers one after the other, the last one ever after; keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def office(self, run: RunDirectory) -> BackOffice:
        transport = httpx.MockTransport(self)
        return BackOffice(topology(), run, transport=transport, sleep=self.slept.append)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "run")
    run.create()
    return run


def book(text: str) -> httpx.Response:
    return httpx.Response(200, text=text)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_whoever_waits_for_a_long_book_hears_that_it_goes_on(run: RunDirectory) -> None:
    """Else the watchdog takes a director that copies millions of rows to hang."""
    shop = Shop(book(STOCK_LINE * 2500 + end(2500)))
    with shop.office(run) as office:
        heard: list[str] = []
        office.on_rows = lambda: heard.append("rows")
        assert office.read_ledger() == 2500
    assert len(heard) == 3, "before the first row, after a thousand, after two"


def test_the_sale_is_set_on_the_clock_of_the_run(run: RunDirectory) -> None:
    shop, clock, plan = Shop(httpx.Response(200)), Clock(0.0), plan_of()
    with shop.office(run) as office:
        office.open_sale(plan, clock)
    (asked,) = shop.asked
    assert (asked.method, str(asked.url)) == ("PUT", "http://127.0.0.1:3/ops/sale")
    assert asked.headers["authorization"] == "Bearer secret"
    sale = json.loads(asked.content)
    assert sale["items"] == [
        {"sku": "HOT-1", "stock": 20, "price": 9900},
        *({"sku": f"BASE-{n}", "stock": 100, "price": 1990} for n in (1, 2, 3)),
    ]
    starts, ends = (datetime.fromisoformat(sale[key]) for key in ("starts_at", "ends_at"))
    assert starts.utcoffset() == timedelta(0)
    assert abs(ends - starts - timedelta(seconds=9)) < timedelta(milliseconds=100)
    assert abs(starts - clock.wall(plan.opens_s)) < timedelta(seconds=5)


def test_the_terms_of_an_item_are_told_and_those_left_open_are_not(run: RunDirectory) -> None:
    shop = Shop(httpx.Response(200))
    terms = 'price: "99.00", limit_per_user: 2, low_stock_at: 5,'
    with shop.office(run) as office:
        office.open_sale(plan_of(changed('price: "99.00",', terms)), Clock(0.0))
    hot, base, *_ = json.loads(shop.asked[0].content)["items"]
    assert (hot["limit_per_user"], hot["low_stock_at"]) == (2, 5)
    assert set(base) == {"sku", "stock", "price"}


def test_the_shop_is_told_who_may_come_early(run: RunDirectory) -> None:
    shop = Shop(httpx.Response(200))
    text = changed("  opens_at:", "  early_access: {gold: 3s, platinum: 5s}\n  opens_at:")
    text = text.replace("traffic:\n", "traffic:\n  personas: {member: 1}\n")
    with shop.office(run) as office:
        office.open_sale(plan_of(text), Clock(0.0))
    assert json.loads(shop.asked[0].content)["promotions"] == [
        {"kind": "early_access", "id": "early-gold", "tier": "gold", "lead_s": 3},
        {"kind": "early_access", "id": "early-platinum", "tier": "platinum", "lead_s": 5},
    ]


def test_a_sale_without_an_end_has_none(run: RunDirectory) -> None:
    shop = Shop(httpx.Response(200))
    with shop.office(run) as office:
        office.open_sale(plan_of(changed("  closes_at: rush+9s\n", "")), Clock(0.0))
    assert json.loads(shop.asked[0].content)["ends_at"] is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(422, text="no such column"), "422 no such column"),
        (httpx.ConnectError("refused"), r"ConnectError\('refused'\)"),
    ],
)
def test_a_sale_that_is_not_taken_is_said(
    run: RunDirectory, answer: httpx.Response | Exception, reason: str
) -> None:
    with (
        Shop(answer).office(run) as office,
        pytest.raises(TargetNotReady, match=f"the shop did not take the sale: {reason}"),
    ):
        office.open_sale(plan_of(), Clock(0.0))


@pytest.mark.parametrize(
    ("answer", "quiet"),
    [
        (httpx.Response(200, json={"quiet": True}), True),
        (httpx.Response(200, json={"quiet": False}), False),
        (httpx.Response(503, json={"quiet": True}), False),
        (httpx.ReadTimeout("late"), False),
    ],
)
def test_a_shop_that_does_not_say_so_is_not_quiet(
    run: RunDirectory, answer: httpx.Response | Exception, quiet: bool
) -> None:
    with Shop(answer).office(run) as office:
        assert office.is_quiet() is quiet


def test_the_books_are_sorted_into_their_tables(run: RunDirectory) -> None:
    shop = Shop(book(STOCK_LINE * 2 + end(2)))
    with shop.office(run) as office:
        assert office.read_ledger() == 2
    assert files(run.ledger) == sorted(f"{table}.ndjson" for table in LEDGER_TABLES)
    assert list(read_records(run.ledger / "stock.ndjson", LedgerStock)) == [STOCK, STOCK]
    assert not (run.ledger / "orders.ndjson").read_bytes()
    assert shop.asked[0].url == "http://127.0.0.1:3/ops/ledger"


def test_the_provider_is_asked_for_its_own_book(run: RunDirectory) -> None:
    shop = Shop(book(CHARGE_LINE + "\n" + end(1)))
    with shop.office(run) as office:
        assert office.read_provider() == 1
    assert files(run.provider) == ["charges.ndjson", "refunds.ndjson"]
    (charge,) = read_records(run.provider / "charges.ndjson", ProviderCharge)
    assert (charge.amount, charge.state) == (9900, "captured")
    assert shop.asked[0].url == "http://127.0.0.1:4/psp/book"


def breaking_off() -> Iterator[bytes]:
    yield STOCK_LINE.encode()
    raise httpx.ReadError("reset")


BROKEN: list[tuple[str, Callable[[], httpx.Response | Exception], str]] = [
    ("no answer", lambda: httpx.ConnectError("refused"), "refused"),
    ("refused", lambda: httpx.Response(503), "answered 503"),
    ("reset", lambda: httpx.Response(200, content=breaking_off()), "reset"),
    ("no end", lambda: book(STOCK_LINE), "broke off after 1 rows"),
    ("rows missing", lambda: book(STOCK_LINE + end(2)), "broke off after 1 rows"),
    ("cut line", lambda: book(STOCK_LINE + STOCK_LINE[:20]), "truncated"),
    ("unknown table", lambda: book('{"table": "gifts"}\n' + end(1)), "unknown table 'gifts'"),
]
each_break = pytest.mark.parametrize(
    ("broken", "reason"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)


@each_break
def test_a_book_that_breaks_off_is_read_again(
    run: RunDirectory, broken: Callable[[], httpx.Response | Exception], reason: str
) -> None:
    shop = Shop(broken(), broken(), book(STOCK_LINE + end(1)))
    with shop.office(run) as office:
        assert office.read_ledger() == 1
    assert list(read_records(run.ledger / "stock.ndjson", LedgerStock)) == [STOCK]
    assert shop.slept == [READ_PAUSE_S] * 2


@each_break
def test_a_book_that_never_comes_whole_is_not_there(
    run: RunDirectory, broken: Callable[[], httpx.Response | Exception], reason: str
) -> None:
    shop = Shop(*(broken() for _ in range(READ_ATTEMPTS)))
    with (
        shop.office(run) as office,
        pytest.raises(ReadFailed, match=f"/ops/ledger: .*{reason}"),
    ):
        office.read_ledger()
    assert len(shop.asked) == READ_ATTEMPTS
    assert not list(run.ledger.glob("*.ndjson"))


def test_a_book_without_rows_is_a_book(run: RunDirectory) -> None:
    with Shop(book(end(0))).office(run) as office:
        assert office.read_ledger() == 0
    assert files(run.ledger) == sorted(f"{table}.ndjson" for table in LEDGER_TABLES)
