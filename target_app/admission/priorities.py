"""What a request is for, which decides how soon it is turned away."""

from enum import StrEnum


class Priority(StrEnum):
    """In the order in which they yield, the first one first."""

    BROWSE = "browse"
    CHECKOUT = "checkout"
    PAYMENT = "payment"


def priority_of(method: str, path: str) -> Priority | None:
    """Return the priority of a request, None for one that is always let in.

    Asking where an order stands is part of buying: whoever does has units on hold. So is standing
    in the line before it.
    """
    if path == "/" or path.startswith("/sale/"):
        return Priority.BROWSE
    if path.startswith("/orders/"):
        return Priority.CHECKOUT
    if not path.startswith("/v1/"):
        return None
    if path.startswith("/v1/webhooks/"):
        return Priority.PAYMENT
    if path.startswith("/v1/orders"):
        return Priority.CHECKOUT if method == "GET" else Priority.PAYMENT
    return (
        Priority.CHECKOUT if path.startswith(("/v1/checkouts", "/v1/queue/")) else Priority.BROWSE
    )
