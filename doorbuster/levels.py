"""Levels: what a shop offers to a rehearsal beside its address, each unlocking further checks."""

from collections.abc import Collection
from typing import Final, Literal

Offer = Literal["operations", "client_ref", "ledger", "provider", "faults"]

LEVELS: Final[dict[Offer, str]] = {
    "operations": "L1, operations: an adapter that knows what answers mean",
    "client_ref": "L2, our reference in its orders: `{client_ref}` in the adapter's reserve",
    "ledger": "L3, its own final record: `target.ledger`",
    "provider": "L4, the payment provider's final record: `target.provider`",
    "faults": "L5, fault hooks behind its front door: `hooks` of a fault",
}
"""What each offer is and where a plan says it; L0 is the address alone."""


def carries_reference(offers: Collection[str] | None) -> bool:
    """Tell whether the shop's orders carry our references; a run that does not say has them."""
    return offers is None or "client_ref" in offers
