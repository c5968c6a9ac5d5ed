"""The funnel of a sale: how far sessions came, and why the others did not come further.

A session counts for every stage up to its furthest: who goes straight to buying has skipped what
lies before. What a session was lost by is the reason of the last thing that went wrong for it, or
what it left undone.
"""

from typing import Final, Literal

Stage = Literal["arrived", "viewed", "carted", "tried", "reserved", "paid"]

STAGES: Final[tuple[Stage, ...]] = ("arrived", "viewed", "carted", "tried", "reserved", "paid")
"""Arrived; saw the product or its stock; put it in a cart or had it priced; tried to reserve;
reserved; paid."""

UNRECORDED: Final = "unrecorded"

LOSSES: Final = {
    "too_early": "left before the sale opened",
    "looked": "only looked",
    "left_cart": "saw the price and left the cart behind",
    "ended": "the sale was over",
    "not_started": "told that the sale had not begun",
    "sold_out": "sold out",
    "limit": "above the limit per user",
    "waiting": "in the line before the checkout until they went home",
    "shed": "turned away by load shedding",
    "declined": "card declined",
    "expired": "the hold lapsed before it was paid",
    "abandoned": "did not pay for what they held",
    "errors": "errors: failures, timeouts, answers nobody can read",
    "unfinished": "still under way when traffic ended",
    "unrecorded": "no record: the generator was ended",
}
"""Reason to its meaning."""
