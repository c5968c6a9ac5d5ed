"""The provider's book: what was charged and given back, in a file that outlives the process.

Each entry is committed before anybody hears of it. Without fsync: a killed process loses nothing
that it has written, and the machine is not what is being rehearsed.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from target_app.instants import rfc3339_now

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS charges (
    charge_id TEXT PRIMARY KEY, merchant_ref TEXT NOT NULL, psp_key TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, state TEXT NOT NULL, created_at TEXT NOT NULL,
    fingerprint TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS charges_by_merchant_ref ON charges (merchant_ref);
CREATE TABLE IF NOT EXISTS refunds (
    refund_id TEXT PRIMARY KEY, psp_key TEXT NOT NULL UNIQUE, charge_id TEXT NOT NULL,
    amount INTEGER NOT NULL, created_at TEXT NOT NULL
);
"""
CHARGE_COLUMNS = "charge_id, merchant_ref, psp_key, amount, currency, state, created_at"
REFUND_COLUMNS = "refund_id, charge_id, amount, created_at"


class KeyMismatchError(Exception):
    """The key was used before, for something else."""


class NotRefundableError(Exception):
    """There is no such capture, or not that much of it left."""


@dataclass(frozen=True)
class Entry:
    """A row of the book, and whether this very request wrote it."""

    values: dict[str, Any]
    fresh: bool


class Book:
    """The charges and refunds of one provider. One process writes it, one statement at a time."""

    def __init__(self, store: Path | str) -> None:
        self._database = sqlite3.connect(store, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.executescript(SCHEMA)

    def close(self) -> None:
        self._database.close()

    def charge(
        self, *, key: str, merchant_ref: str, amount: int, currency: str, method: str
    ) -> Entry:
        """Take the money, unless this key has; cards that end in `_declined` are refused."""
        state = "declined" if method.endswith("_declined") else "captured"
        fingerprint = f"{merchant_ref} {amount} {currency} {method}"
        row = (
            f"ch_{_digest(key)}",
            merchant_ref,
            key,
            amount,
            currency,
            state,
            rfc3339_now(),
            fingerprint,
        )
        written = self._database.execute(
            "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (psp_key) DO NOTHING",
            row,
        )
        found = self._one("SELECT * FROM charges WHERE psp_key = ?", key)
        if found["fingerprint"] != fingerprint:
            raise KeyMismatchError(key)
        return Entry(found, fresh=written.rowcount == 1)

    def charges_of(self, merchant_ref: str) -> list[dict[str, Any]]:
        rows = self._database.execute(
            "SELECT * FROM charges WHERE merchant_ref = ? ORDER BY created_at", (merchant_ref,)
        )
        return [dict(row) for row in rows]

    def refund(self, *, key: str, charge_id: str, amount: int) -> Entry:
        """Give money back, unless this key has."""
        known = self._database.execute("SELECT * FROM refunds WHERE psp_key = ?", (key,)).fetchone()
        if known is not None:
            if (known["charge_id"], known["amount"]) != (charge_id, amount):
                raise KeyMismatchError(key)
            return Entry(dict(known), fresh=False)
        if amount > self._refundable(charge_id):
            raise NotRefundableError(charge_id)
        self._database.execute(
            "INSERT INTO refunds VALUES (?, ?, ?, ?, ?)",
            (f"re_{_digest(key)}", key, charge_id, amount, rfc3339_now()),
        )
        return Entry(self._one("SELECT * FROM refunds WHERE psp_key = ?", key), fresh=True)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the whole book as it stands now, each row with its table."""
        with_columns = (("charges", CHARGE_COLUMNS), ("refunds", REFUND_COLUMNS))
        for table, columns in with_columns:
            rows = self._database.execute(f"SELECT {columns} FROM {table} ORDER BY created_at")
            yield from ({"table": table, **dict(row)} for row in rows.fetchall())

    def _refundable(self, charge_id: str) -> int:
        captured = self._database.execute(
            "SELECT coalesce(sum(amount), 0) FROM charges"
            " WHERE charge_id = ? AND state = 'captured'",
            (charge_id,),
        ).fetchone()[0]
        returned = self._database.execute(
            "SELECT coalesce(sum(amount), 0) FROM refunds WHERE charge_id = ?", (charge_id,)
        ).fetchone()[0]
        return int(captured) - int(returned)

    def _one(self, query: str, name: str) -> dict[str, Any]:
        return dict(self._database.execute(query, (name,)).fetchone())


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:20]
