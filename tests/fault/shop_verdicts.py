"""What the checks say about a shop in the test's own process, from its books as they stand."""

from typing import Any

import msgspec

from doorbuster.ledger import LEDGER_TABLES, PROVIDER_TABLES
from reports.checks import (
    limits_held,
    no_double_charge,
    no_lost_stock,
    no_orphan_charge,
    no_oversell,
    no_stuck_order,
    one_order_per_key,
    stock_conserved,
)
from reports.evidence import run_of
from target_app.jobs import run_once
from tests.integration.running_shop import Rehearsed
from tests.unit.reports_fixture import PLAN, books_read, clock

CHECKS = (
    no_oversell,
    stock_conserved,
    no_lost_stock,
    one_order_per_key,
    no_stuck_order,
    limits_held,
    no_double_charge,
    no_orphan_charge,
)


async def verdicts(run: Rehearsed, *, stock: int = 10) -> dict[str, str]:
    """Return each check's ruling on the books after the jobs have had their turn."""
    await run_once(run.shop)
    ledger = _structs(await run.ledger(), LEDGER_TABLES)
    book = _structs(run.simulator.book.lines(), PROVIDER_TABLES)
    rows = sum(map(len, ledger.values())), sum(map(len, book.values()))
    items = [
        {"sku": "HOT", "stock": stock, "price": "99.00", "demand": "90%"},
        {"sku": "BASE", "stock": 100, "price": "1.00", "demand": "10%"},
    ]
    plan = {**PLAN, "sale": {"opens_at": "rush", "items": items}}
    with run_of(plan, [clock(), *books_read(*rows)], **ledger, **book) as judged:
        return {check.__name__: check(judged).ruling for check in CHECKS}


def _structs(rows: Any, tables: dict[str, type[msgspec.Struct]]) -> dict[str, list[msgspec.Struct]]:
    found: dict[str, list[msgspec.Struct]] = {name: [] for name in tables}
    for row in rows:
        table = tables.get(row["table"])
        if table is not None:
            found[row["table"]].append(msgspec.convert(row, table))
    return found
