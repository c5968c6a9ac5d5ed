"""Shipping, as far as this shop knows of it: a paid order has left the house."""

from typing import Any

from target_app.orders.states import Status
from target_app.orders.transitions import Change, move
from target_app.problems import ProblemError

STATUS = "SELECT status FROM orders WHERE order_id = $1 FOR UPDATE"


async def shipped(change: Change, order_id: str) -> dict[str, Any]:
    status = await change.connection.fetchval(STATUS, order_id)
    if status is None:
        raise ProblemError(404, "unknown_order")
    if status == Status.PAID:
        await move(change, order_id, source=Status.PAID, target=Status.FULFILLED)
    elif status != Status.FULFILLED:
        raise ProblemError(409, "not_shippable", details={"order_status": status})
    return {"order_id": order_id, "status": Status.FULFILLED}
