"""What the shop knows of a charge, and the charge itself.

Only an answer is an answer. A timeout, a reset or a 5xx may have happened before or after the
charge, so it is `Unknown`, never "failed".
"""

from dataclasses import dataclass
from typing import TypeAlias

import msgspec


@dataclass(frozen=True)
class Captured:
    """The provider has the money."""

    psp_ref: str
    amount: int


@dataclass(frozen=True)
class Authorized:
    """The provider has set the money aside, until it is captured or the authorisation is void."""

    psp_ref: str
    amount: int


@dataclass(frozen=True)
class Declined:
    """The provider refused, for good."""

    psp_ref: str


@dataclass(frozen=True)
class Closed:
    """Cancelled at the provider: nothing was taken and nothing will be."""

    psp_ref: str


@dataclass(frozen=True)
class NeverSeen:
    """The provider knows of no such charge, at this moment: one may still be on its way."""


@dataclass(frozen=True)
class Unknown:
    """Nobody can say."""

    why: str


@dataclass(frozen=True)
class Spared(Unknown):
    """The provider was not asked, for its own sake or ours; an earlier call may still be known."""


@dataclass(frozen=True)
class Refused:
    """The provider will not do it, now or later."""

    code: str


ChargeFinding: TypeAlias = Captured | Authorized | Declined | Closed | Unknown
Finding: TypeAlias = ChargeFinding | NeverSeen


@dataclass(frozen=True)
class Charge:
    """A charge to make: the same `psp_key` can take money only once."""

    order_id: str
    psp_key: str
    amount: int
    currency: str
    method: str
    capture_method: str = "automatic"


class Intent(msgspec.Struct, frozen=True):
    """The provider's account of a charge, as far as the shop reads it."""

    id: str
    status: str
    amount: int
    captured: bool


class FoundIntent(Intent, frozen=True):
    """One of the charges of an order, told apart by its key."""

    psp_key: str


AUTHORIZED = frozenset({"requires_capture", "authorized"})
CLOSED = frozenset({"canceled", "cancelled", "voided", "closed"})


def finding_of(intent: Intent) -> ChargeFinding:
    """Read the provider's account of a charge."""
    if intent.status == "succeeded" and intent.captured:
        return Captured(intent.id, intent.amount)
    if intent.status == "declined":
        return Declined(intent.id)
    if intent.status in AUTHORIZED:
        return Authorized(intent.id, intent.amount)
    if intent.status in CLOSED:
        return Closed(intent.id)
    return Unknown(f"status {intent.status}")
