"""The settlement of a day: what the provider says it paid out, for the shop's books to meet."""

import csv
import io
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace

from target_app.provider.behaviour import Behaviour, Mode, mode_for

FEE_BASIS_POINTS = 60
"""A fee in the range that shops pay for cards; only its presence matters, not its height."""

OFF_BY = 1
"""A wrong amount is wrong by the smallest unit of money: what a tolerance would overlook."""

ENTRIES = """
SELECT charge_id AS ref, 'charge' AS type, captured_amount AS amount, captured_at AS ts
FROM charges WHERE state = 'captured' AND captured_at >= :day AND captured_at < :day || 'U'
UNION ALL
SELECT refund_id, 'refund', -amount, created_at
FROM refunds WHERE created_at >= :day AND created_at < :day || 'U'
ORDER BY ts, ref
"""
# An instant of that day begins with it and goes on with a "T", which is less than "U".


@dataclass(frozen=True)
class Line:
    """One line of the file."""

    ref: str
    type: str
    amount: int
    fee: int
    ts: str


def settlement(database: sqlite3.Connection, day: str) -> list[Line]:
    return [
        Line(row["ref"], row["type"], row["amount"], _fee(row["amount"]), row["ts"])
        for row in database.execute(ENTRIES, {"day": day})
    ]


def told(lines: list[Line], behaviours: tuple[Behaviour, ...]) -> list[Line]:
    """Return what the file says: the truth, unless a behaviour has it wrong. Always the same."""
    for behaviour in behaviours:
        if behaviour.mode is Mode.SETTLEMENT_MISMATCH:
            lines = list(_wrong(lines, behaviour))
    return lines


def _wrong(lines: list[Line], behaviour: Behaviour) -> Iterator[Line]:
    affected = 0
    for line in lines:
        if mode_for(behaviour, key=line.ref, charges_before=affected) is Mode.NORMAL:
            yield line
            continue
        affected += 1
        match behaviour.difference:
            case "amount":
                yield replace(line, amount=line.amount + OFF_BY)
            case "double":
                yield line
                yield line


def as_csv(lines: list[Line]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("ref", "type", "amount", "fee", "ts"))
    writer.writerows((line.ref, line.type, line.amount, line.fee, line.ts) for line in lines)
    return text.getvalue()


def _fee(amount: int) -> int:
    """Charge for charges only; the fee of what is given back is kept."""
    return round(max(amount, 0) * FEE_BASIS_POINTS / 10_000)
