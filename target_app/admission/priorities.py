"""What a request is for, which decides how soon it is turned away."""

from enum import StrEnum


class Priority(StrEnum):
    """In the order in which they yield, the first one first."""

    BROWSE = "browse"
    CLAIM = "claim"
    CHECKOUT = "checkout"
    PAYMENT = "payment"


PREFIXES = (
    ("/sale/", Priority.BROWSE),
    ("/orders/", Priority.CHECKOUT),
    ("/v1/webhooks/", Priority.PAYMENT),
    ("/v1/checkouts", Priority.CHECKOUT),
    ("/v1/queue/", Priority.CHECKOUT),
    # Who asks what it would cost, or grabs a coupon, means to buy; but holds nothing yet.
    ("/v1/pricing/", Priority.CLAIM),
    ("/v1/coupons/", Priority.CLAIM),
    ("/v1/", Priority.BROWSE),
)
"""The first that fits decides."""


def priority_of(method: str, path: str) -> Priority | None:
    """Return the priority of a request, None for one that is always let in.

    Asking where an order stands is part of buying: whoever does has units on hold. So is standing
    in the line before it.
    """
    if path == "/":
        return Priority.BROWSE
    if path.startswith("/v1/orders"):
        return Priority.CHECKOUT if method == "GET" else Priority.PAYMENT
    return next((priority for prefix, priority in PREFIXES if path.startswith(prefix)), None)
