"""The provider's book: what was charged and given back, in a file that outlives the process.

Each entry is committed before anybody hears of it. Without fsync: a killed process loses nothing
that it has written, and the machine is not what is being rehearsed.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from target_app.instants import rfc3339_now
from target_app.provider.intents import Intent, State
from target_app.provider.refusals import (
    AboveAuthorizedError,
    AlreadyCapturedError,
    KeyMismatchError,
    NotCapturableError,
    NotConfirmableError,
    NotRefundableError,
    UnknownIntentError,
)

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS charges (
    charge_id TEXT PRIMARY KEY, merchant_ref TEXT NOT NULL, psp_key TEXT NOT NULL,
    amount INTEGER NOT NULL, captured_amount INTEGER NOT NULL, currency TEXT NOT NULL,
    state TEXT NOT NULL, method TEXT NOT NULL, capture_method TEXT NOT NULL, decline_code TEXT,
    created_at TEXT NOT NULL, captured_at TEXT, fingerprint TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS charges_by_merchant_ref ON charges (merchant_ref);
CREATE INDEX IF NOT EXISTS charges_by_psp_key ON charges (psp_key);
CREATE TABLE IF NOT EXISTS refunds (
    refund_id TEXT PRIMARY KEY, psp_key TEXT NOT NULL, charge_id TEXT NOT NULL,
    amount INTEGER NOT NULL, created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS refunds_by_psp_key ON refunds (psp_key);
CREATE INDEX IF NOT EXISTS refunds_by_charge ON refunds (charge_id);
"""
# What was charged is what was taken: of a captured charge, the part that was captured.
CHARGES = """
SELECT charge_id, merchant_ref, psp_key,
       CASE state WHEN 'captured' THEN captured_amount ELSE amount END AS amount,
       currency, state, created_at
FROM charges WHERE state <> 'created' ORDER BY created_at
"""
REFUNDS = "SELECT refund_id, charge_id, amount, created_at FROM refunds ORDER BY created_at"
MOVE = """
UPDATE charges SET state = :state, decline_code = :decline_code,
    captured_amount = :captured_amount, captured_at = :captured_at
WHERE charge_id = :charge_id
"""
BY_DECLINED_CARD = "card_declined"


@dataclass(frozen=True)
class Entry:
    """A row of the book, and whether this very request wrote or moved it."""

    values: dict[str, Any]
    fresh: bool


class Book:
    """The charges and refunds of one provider. One process writes it, one statement at a time."""

    def __init__(self, store: Path | str) -> None:
        self.database = sqlite3.connect(store, isolation_level=None)
        self.database.row_factory = sqlite3.Row
        self.database.executescript(SCHEMA)

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Write all that is written meanwhile at once, so that no news is without its entry."""
        self.database.execute("BEGIN")
        with self.database:
            yield

    def charge(
        self, intent: Intent, *, key: str, decline_code: str | None = None, keyed: bool = True
    ) -> Entry:
        """Take or hold the money, unless this key has; cards that end in `_declined` are refused.

        `decline_code` refuses any card, and unless `keyed` a repeated key means nothing.
        """
        earlier = self._rows("SELECT * FROM charges WHERE psp_key = ? ORDER BY rowid", key)
        if earlier and keyed:
            if earlier[0]["fingerprint"] != intent.fingerprint:
                raise KeyMismatchError(key)
            return Entry(earlier[0], fresh=False)
        row = {
            "charge_id": _name("ch", key, len(earlier)),
            "merchant_ref": intent.merchant_ref,
            "psp_key": key,
            "amount": intent.amount,
            "currency": intent.currency,
            "method": intent.method,
            "capture_method": intent.capture_method,
            "created_at": rfc3339_now(),
            "fingerprint": intent.fingerprint,
        }
        row |= _decided(row, decline_code) if intent.confirm else _standing(State.CREATED)
        self._insert("charges", row)
        return Entry(row, fresh=True)

    def confirm(self, charge_id: str, *, decline_code: str | None = None) -> Entry:
        """Take or hold what an unconfirmed charge asked for; a confirmed one stays as it is."""
        charge = self.find(charge_id)
        if charge["state"] == State.VOIDED:
            raise NotConfirmableError(charge_id)
        if charge["state"] != State.CREATED:
            return Entry(charge, fresh=False)
        return self._move(charge, _decided(charge, decline_code))

    def capture(self, charge_id: str, *, amount: int | None = None) -> Entry:
        """Take what was held, or a part of it: once, and never more."""
        charge = self.find(charge_id)
        wanted = charge["amount"] if amount is None else amount
        if charge["state"] == State.CAPTURED:
            if amount is not None and amount != charge["captured_amount"]:
                raise AlreadyCapturedError(charge_id)
            return Entry(charge, fresh=False)
        if charge["state"] != State.AUTHORIZED:
            raise NotCapturableError(charge["state"])
        if wanted > charge["amount"]:
            raise AboveAuthorizedError(charge["amount"])
        return self._move(charge, _standing(State.CAPTURED, captured_amount=wanted))

    def cancel(self, charge_id: str) -> Entry:
        """Close a charge that has not taken money, so that it never will.

        Raises:
            AlreadyCapturedError: It has, and only a refund gives that back.
        """
        charge = self.find(charge_id)
        state = State(charge["state"])
        if state is State.CAPTURED:
            raise AlreadyCapturedError(charge_id)
        if state not in {State.CREATED, State.AUTHORIZED}:
            return Entry(charge, fresh=False)
        return self._move(charge, _standing(State.VOIDED))

    def find(self, charge_id: str) -> dict[str, Any]:
        rows = self._rows("SELECT * FROM charges WHERE charge_id = ?", charge_id)
        if not rows:
            raise UnknownIntentError(charge_id)
        return rows[0]

    def charges_of(self, merchant_ref: str) -> list[dict[str, Any]]:
        return self._rows(
            "SELECT * FROM charges WHERE merchant_ref = ? ORDER BY created_at, rowid", merchant_ref
        )

    def refund(self, *, key: str, charge_id: str, amount: int, keyed: bool = True) -> Entry:
        """Give money back, unless this key has."""
        earlier = self._rows("SELECT * FROM refunds WHERE psp_key = ? ORDER BY rowid", key)
        if earlier and keyed:
            if (earlier[0]["charge_id"], earlier[0]["amount"]) != (charge_id, amount):
                raise KeyMismatchError(key)
            return Entry(earlier[0], fresh=False)
        if amount > self._refundable(charge_id):
            raise NotRefundableError(charge_id)
        row = {
            "refund_id": _name("re", key, len(earlier)),
            "psp_key": key,
            "charge_id": charge_id,
            "amount": amount,
            "created_at": rfc3339_now(),
        }
        self._insert("refunds", row)
        return Entry(row, fresh=True)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the whole book as it stands now, each row with its table."""
        for table, query in (("charges", CHARGES), ("refunds", REFUNDS)):
            rows = self._rows(query)
            yield from ({"table": table, **row} for row in rows)

    def _move(self, charge: dict[str, Any], standing: dict[str, Any]) -> Entry:
        self.database.execute(MOVE, standing | {"charge_id": charge["charge_id"]})
        return Entry(charge | standing, fresh=True)

    def _refundable(self, charge_id: str) -> int:
        (captured,) = self.database.execute(
            "SELECT coalesce(sum(captured_amount), 0) FROM charges WHERE charge_id = ?",
            (charge_id,),
        ).fetchone()
        (returned,) = self.database.execute(
            "SELECT coalesce(sum(amount), 0) FROM refunds WHERE charge_id = ?", (charge_id,)
        ).fetchone()
        return int(captured) - int(returned)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        columns = ", ".join(row)
        marks = ", ".join(f":{column}" for column in row)
        self.database.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", row)

    def _rows(self, query: str, *named: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.database.execute(query, named)]


def _decided(charge: dict[str, Any], decline_code: str | None) -> dict[str, Any]:
    """Return where a charge stands once the card was asked."""
    if decline_code is None and charge["method"].endswith("_declined"):
        decline_code = BY_DECLINED_CARD
    if decline_code is not None:
        return _standing(State.DECLINED, decline_code=decline_code)
    if charge["capture_method"] == "manual":
        return _standing(State.AUTHORIZED)
    return _standing(State.CAPTURED, captured_amount=charge["amount"])


def _standing(
    state: State, *, captured_amount: int = 0, decline_code: str | None = None
) -> dict[str, Any]:
    return {
        "state": state.value,
        "decline_code": decline_code,
        "captured_amount": captured_amount,
        "captured_at": rfc3339_now() if state is State.CAPTURED else None,
    }


def _name(prefix: str, key: str, earlier: int) -> str:
    """Name an entry after its key, so that the same run has the same names."""
    text = f"{key}#{earlier}" if earlier else key
    return f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:20]}"
