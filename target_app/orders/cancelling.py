"""Cancelling an unpaid order on its buyer's wish."""

from typing import Any

from target_app.orders.reading import order_by_id
from target_app.orders.states import Status
from target_app.orders.transitions import Change, move
from target_app.problems import ProblemError


async def cancelled(change: Change, order_id: str) -> dict[str, Any]:
    """Cancel an order if it may still be; return it as cancelled, by this request or before.

    Raises:
        ProblemError: There is no such order, its hold has ended, or money is or was moving.
    """
    order = await order_by_id(change.connection, order_id)
    if order is not None and order["status"] == Status.PENDING_PAYMENT:
        await move(change, order_id, source=Status.PENDING_PAYMENT, target=Status.CANCELLED)
        order = await order_by_id(change.connection, order_id)
    if order is None:
        raise ProblemError(404, "unknown_order")
    if order["status"] != Status.CANCELLED:
        code = "order_expired" if order["status"] == Status.EXPIRED else "not_cancellable"
        raise ProblemError(409, code, details={"order_status": order["status"]})
    return order
