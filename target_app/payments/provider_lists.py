"""The provider's lists as the shop reads them: its events, and the settlement file of a day."""

import csv
import io
from datetime import datetime

import msgspec

from target_app.payments.webhooks import ProviderEvent


class ListedEvent(ProviderEvent, frozen=True):
    """One event of the list; `psp_key` is that of the charge, also where money went back."""

    created_at: datetime
    refund_id: str | None = None


class ListedEvents(msgspec.Struct, frozen=True):
    """A page of the list, the oldest first."""

    events: list[ListedEvent]


class SettledLine(msgspec.Struct, frozen=True):
    """A line of the settlement: what was taken, or with a minus what was given back."""

    ref: str
    type: str
    amount: int
    ts: datetime


def settled_lines(body: bytes) -> list[SettledLine]:
    """Read a settlement file.

    Raises:
        ValueError: It is none; which line and field is wrong.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(body.decode()), strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if not body.startswith(b"ref,"):
        raise ValueError("a settlement begins with its header")
    return msgspec.convert(rows, list[SettledLine], strict=False)
