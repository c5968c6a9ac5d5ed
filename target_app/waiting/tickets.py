"""Tickets of the waiting room and the admissions they lead to, as claims that the shop signs."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec

DRAWN_BITS = 48
"""So many bits of a drawn place come before every microsecond since 1970 that is a place."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ticket(msgspec.Struct, frozen=True):
    """A place in the line.

    Attributes:
        opens_us: T0 of the sale it is for, which tells it from the sale's next edition; like all
            `_us` here in microseconds since 1970.
        joined_us: When it was drawn, by the clock of Redis, and later than any drawn before.
        sku: What its holder wants, who will be told as soon as that is sold out.
    """

    id: str
    customer: str
    campaign: str
    opens_us: int
    joined_us: int
    sku: str | None = None

    def place(self, *, seed: str) -> int:
        """Return where it stands; the lower the sooner."""
        if self.joined_us >= self.opens_us:
            return self.joined_us
        return drawn_place(self.customer, opens_us=self.opens_us, seed=seed)


class Admission(msgspec.Struct, frozen=True):
    """The right to check out once, under the id of the ticket that led to it."""

    id: str
    customer: str
    campaign: str
    opens_us: int
    expires_us: int


def drawn_place(customer: str, *, opens_us: int, seed: str) -> int:
    """Return a customer's place among all who joined before T0.

    It does not depend on when they came nor on how often. Nobody without the seed can tell it
    beforehand, and each sale draws anew.
    """
    digest = hashlib.blake2b(f"{opens_us} {customer}".encode(), key=_key(seed), digest_size=8)
    return int.from_bytes(digest.digest(), "big") >> (64 - DRAWN_BITS)


def since_1970_us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def instant(at_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=at_us)


def _key(seed: str) -> bytes:
    return hashlib.sha256(seed.encode()).digest()
