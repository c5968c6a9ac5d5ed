"""What the checks say about a shop's ledger, as they would after a rehearsal."""

from typing import Any

import msgspec

from doorbuster.ledger import LEDGER_TABLES
from doorbuster.verdicts import Verdict
from reports.checks import no_lost_stock, no_oversell, stock_conserved
from reports.evidence import run_of
from tests.integration.running_shop import Rehearsed
from tests.unit.reports_fixture import PLAN, books_read, clock

CHECKS = (no_oversell, stock_conserved, no_lost_stock)


async def stock_verdicts(run: Rehearsed, *, stock: int) -> dict[str, Verdict]:
    """Return the verdicts on a sale of `stock` units of HOT, beside what there is of BASE."""
    tables: dict[str, list[msgspec.Struct]] = {}
    for row in await run.ledger():
        record = LEDGER_TABLES.get(row["table"])
        if record is not None:
            tables.setdefault(row["table"], []).append(msgspec.convert(row, record))
    plan: dict[str, Any] = PLAN | {
        "sale": {
            "opens_at": "rush",
            "items": [
                {"sku": "HOT", "stock": stock, "price": "99.00", "demand": "90%"},
                {"sku": "BASE", "stock": 100, "price": "1.00", "demand": "10%"},
            ],
        }
    }
    journal = [clock(), *books_read(sum(map(len, tables.values())), 0)]
    tables["events"] = list(run.history)
    with run_of(plan, journal, **tables) as read:
        return {check.__name__: check(read) for check in CHECKS}
