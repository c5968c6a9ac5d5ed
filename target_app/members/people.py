"""Synthetic members: a name is all that there is about anybody, the rest follows from it."""

import hashlib
from typing import Annotated, Literal, TypeAlias

import msgspec

from target_app.pricing.rules import Tier

UserType = Literal["new", "returning"]
Customer: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

MEMBERS_PERCENT: dict[Tier, int] = {"platinum": 2, "gold": 8, "silver": 20}
"""How many of a hundred members have each tier; the others are standard."""


class Member(msgspec.Struct, frozen=True):
    """Somebody with a session."""

    customer: str
    tier: Tier
    user_type: UserType


def tier_of(customer: str, *, seed: int) -> Tier:
    """Return the tier that `customer` has in a shop with this seed, in every replica and run."""
    digest = hashlib.blake2b(f"{seed}/{customer}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") % 100
    for tier, percent in MEMBERS_PERCENT.items():
        if place < percent:
            return tier
        place -= percent
    return "standard"
