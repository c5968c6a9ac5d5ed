"""The provider's events: what was announced, and how each delivery went."""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from target_app.instants import rfc3339_now
from target_app.provider.intents import State

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
    muted INTEGER NOT NULL, delivered_at TEXT
);
CREATE TABLE IF NOT EXISTS deliveries (
    event_id TEXT NOT NULL, at TEXT NOT NULL, status INTEGER, problem TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event_id);
"""
LISTED = """
SELECT * FROM events
WHERE seq > coalesce((SELECT seq FROM events WHERE event_id = :after), 0)
  AND (:delivered IS NULL OR (delivered_at IS NOT NULL) = :delivered)
ORDER BY seq LIMIT :limit
"""
PENDING = "SELECT body FROM events WHERE delivered_at IS NULL AND NOT muted ORDER BY seq"
ARRIVED = "UPDATE events SET delivered_at = ? WHERE event_id = ? AND delivered_at IS NULL"
TYPES = {
    State.AUTHORIZED: "payment.authorized",
    State.CAPTURED: "payment.succeeded",
    State.VOIDED: "payment.canceled",
    State.DECLINED: "payment.declined",
}


class Event(msgspec.Struct, frozen=True):
    """What is announced: `psp_key` is that of the charge, also where money went back."""

    id: str
    type: str
    intent_id: str
    merchant_ref: str
    psp_key: str
    amount: int
    created_at: str
    refund_id: str | None = None


def event_of_charge(charge: dict[str, Any]) -> Event | None:
    """Return the news that a charge stands where it does, None where that is none."""
    state = State(charge["state"])
    if state not in TYPES:
        return None
    amount = charge["captured_amount"] if state is State.CAPTURED else charge["amount"]
    return _event(TYPES[state], charge, subject=charge["charge_id"], amount=amount)


def event_of_refund(refund: dict[str, Any], charge: dict[str, Any]) -> Event:
    event = _event("payment.refunded", charge, subject=refund["refund_id"], amount=refund["amount"])
    return msgspec.structs.replace(event, refund_id=refund["refund_id"])


def _event(kind: str, charge: dict[str, Any], *, subject: str, amount: int) -> Event:
    """Name the event after its news, so that the same run has the same events."""
    name = hashlib.sha256(f"{kind} {subject}".encode()).hexdigest()[:20]
    return Event(
        id=f"evt_{name}",
        type=kind,
        intent_id=charge["charge_id"],
        merchant_ref=charge["merchant_ref"],
        psp_key=charge["psp_key"],
        amount=amount,
        created_at=rfc3339_now(),
    )


@dataclass(frozen=True)
class Tried:
    """How a delivery went: a status, or why there was none."""

    status: int | None = None
    problem: str | None = None

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class EventLog:
    """Every event of the provider, with its deliveries, beside its book."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._database.executescript(SCHEMA)

    def record(self, event: Event, *, muted: bool) -> None:
        """Keep an event before it is announced; a `muted` one never is."""
        self._database.execute(
            "INSERT INTO events (event_id, body, muted) VALUES (?, ?, ?)",
            (event.id, msgspec.json.encode(event).decode(), muted),
        )

    def note(self, event: Event, tried: Tried) -> None:
        self._database.execute(
            "INSERT INTO deliveries VALUES (?, ?, ?, ?)",
            (event.id, rfc3339_now(), tried.status, tried.problem),
        )
        if tried.arrived:
            self._database.execute(ARRIVED, (rfc3339_now(), event.id))

    def pending(self) -> list[Event]:
        """Return what should have arrived and has not."""
        rows = self._database.execute(PENDING)
        return [msgspec.json.decode(row["body"], type=Event) for row in rows]

    def listed(self, *, delivered: bool | None, after: str | None, limit: int) -> Iterator[Any]:
        """Yield events in their order, with their deliveries."""
        wanted = {"delivered": delivered, "after": after, "limit": limit}
        for row in self._database.execute(LISTED, wanted).fetchall():
            tries = self._database.execute(
                "SELECT at, status, problem FROM deliveries WHERE event_id = ? ORDER BY rowid",
                (row["event_id"],),
            )
            yield {
                **msgspec.json.decode(row["body"]),
                "delivered": row["delivered_at"] is not None,
                "deliveries": [dict(tried) for tried in tries],
            }
