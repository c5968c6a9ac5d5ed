"""A provider: its book, its events and its voice, and how it behaves since when."""

import asyncio

from target_app.provider.announcing import Announcer
from target_app.provider.behaviour import Behaviour, Call, Mode
from target_app.provider.book import Book, Entry
from target_app.provider.conduct import Asked, Conduct, Manner
from target_app.provider.events import Event, EventLog, event_of_charge, event_of_refund
from target_app.provider.intents import Capture, Intent, Refund, State

Behaviours = Behaviour | tuple[Behaviour, ...]


class Simulator:
    """What the provider does when asked. Nothing here waits, so each act is whole."""

    def __init__(self, book: Book, announcer: Announcer) -> None:
        self.book = book
        self.events = EventLog(book.database)
        self.announcer = announcer
        self.behaviours: Behaviours = Behaviour()
        self.conduct = Conduct()

    def behave(self, behaviours: Behaviours) -> None:
        """Behave so from now on; counts begin anew."""
        self.behaviours = behaviours
        self.conduct = Conduct(
            (behaviours,) if isinstance(behaviours, Behaviour) else tuple(behaviours)
        )

    def resume(self) -> None:
        """Send again what an earlier process with this book did not get delivered."""
        for event in self.events.pending():
            self.announcer.announce(event, self.events)

    def charge(self, intent: Intent, asked: Asked) -> Entry:
        ignored = self.conduct.take(asked, Mode.NO_IDEMPOTENCY)
        decline_code = self._decline_code(asked) if intent.confirm else None
        return self.book.charge(
            intent, key=asked.key, decline_code=decline_code, keyed=ignored is None
        )

    def confirm(self, charge_id: str, asked: Asked) -> Entry:
        return self.book.confirm(charge_id, decline_code=self._decline_code(asked))

    def capture(self, charge_id: str, wanted: Capture, asked: Asked) -> Entry:
        """Take what is held; where the bank has let go of it, the charge is void instead."""
        held = self.book.find(charge_id)["state"] == State.AUTHORIZED
        if held and self.conduct.take(asked, Mode.AUTH_EXPIRED):
            return self.book.cancel(charge_id)
        return self.book.capture(charge_id, amount=wanted.amount)

    def cancel(self, charge_id: str) -> Entry:
        return self.book.cancel(charge_id)

    def refund(self, wanted: Refund, asked: Asked) -> Entry:
        ignored = self.conduct.take(asked, Mode.NO_IDEMPOTENCY)
        return self.book.refund(
            key=asked.key,
            charge_id=wanted.intent_id,
            amount=wanted.amount,
            keyed=ignored is None,
        )

    def prepare(self, entry: Entry, call: Call, *, muted: bool) -> tuple[Event, Manner] | None:
        """Record the news of an entry, to be sent later or, if `muted`, never."""
        event = self._event(entry)
        if event is None:
            return None
        manner = Manner(lost=True) if muted else self.conduct.manner_of(call, event.id)
        self.events.record(event, muted=manner.lost)
        return event, manner

    def send(self, event: Event, manner: Manner) -> asyncio.Task[None] | None:
        return None if manner.lost else self.announcer.announce(event, self.events, manner)

    def _event(self, entry: Entry) -> Event | None:
        if not entry.fresh:
            return None
        if "refund_id" in entry.values:
            return event_of_refund(entry.values, self.book.find(entry.values["charge_id"]))
        return event_of_charge(entry.values)

    def _decline_code(self, asked: Asked) -> str | None:
        declined = self.conduct.take(asked, Mode.DECLINE)
        return declined.code if declined else None


def shown(behaviours: Behaviours) -> object:
    """Return the behaviours in the shape in which they were set."""
    if isinstance(behaviours, Behaviour):
        return behaviours.shown()
    return [behaviour.shown() for behaviour in behaviours]
