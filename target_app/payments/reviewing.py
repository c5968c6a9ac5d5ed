"""Orders that people decide about: held for review, then settled, refunded or cancelled."""

from typing import Annotated, Any, Literal

import msgspec

from target_app.database.primary import Connection
from target_app.instants import rfc3339
from target_app.orders.states import Status
from target_app.orders.transitions import Change, move
from target_app.payments.refunding import REFUNDABLE, record
from target_app.problems import ProblemError
from target_app.reservations import SoldOutError

ORDER = "SELECT status, total FROM orders WHERE order_id = $1 FOR UPDATE"
NOTE = "INSERT INTO decisions (order_id, decision, operator, note) VALUES ($1, $2, $3, $4)"
DECIDED = "SELECT decision, operator, note, at FROM decisions WHERE order_id = $1 ORDER BY id"
VOID_LATER = """
UPDATE payments SET state = 'voiding', next_query_at = now()
WHERE order_id = $1 AND state = 'authorized'
"""
HOLDABLE = frozenset(
    {Status.PENDING_PAYMENT, Status.AUTHORIZED, Status.PAID, Status.REFUND_PENDING}
)
TARGETS = {
    "hold": Status.REVIEW,
    "pay": Status.PAID,
    "refund": Status.REFUND_PENDING,
    "cancel": Status.CANCELLED,
}


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a decision: `hold` begins a review, the others end it."""

    decision: Literal["hold", "pay", "refund", "cancel"]
    operator: Annotated[str, msgspec.Meta(min_length=1)]
    note: str = ""


async def decide(change: Change, decision: Decision, *, order_id: str) -> dict[str, Any]:
    """Do what an operator decided, and keep who it was and why.

    Raises:
        ProblemError: The order is not in review, or its money or stock does not allow it.
    """
    order = await change.connection.fetchrow(ORDER, order_id)
    if order is None:
        raise ProblemError(404, "unknown_order")
    source, target = Status(order["status"]), TARGETS[decision.decision]
    allowed = source in HOLDABLE if target is Status.REVIEW else source is Status.REVIEW
    if not allowed:
        raise ProblemError(409, "not_in_review", details={"order_status": source})
    if target is not Status.REVIEW:
        await _see_to_money(change, order_id, target=target, total=order["total"])
    try:
        await move(change, order_id, source=source, target=target)
    except SoldOutError as error:
        raise ProblemError(409, "sold_out", details={"sku": error.sku}) from error
    note = (order_id, decision.decision, decision.operator, decision.note)
    await change.connection.execute(NOTE, *note)
    return {"order_id": order_id, "status": target}


async def _see_to_money(change: Change, order_id: str, *, target: Status, total: int) -> None:
    kept = await change.connection.fetchrow(REFUNDABLE, order_id)
    rest = kept["rest"] if kept is not None else 0
    if target is Status.PAID and rest != total:
        raise ProblemError(409, "not_paid_for", details={"captured": rest})
    if target is Status.CANCELLED:
        if rest:
            raise ProblemError(409, "refund_first", details={"captured": rest})
        await change.connection.execute(VOID_LATER, order_id)
    if target is Status.REFUND_PENDING:
        if kept is None or not rest:
            raise ProblemError(409, "nothing_to_refund")
        await record(change, kept, order_id=order_id, key=None, wish=(rest, True))


async def decided(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    rows = await connection.fetch(DECIDED, order_id)
    return [{**row, "at": rfc3339(row["at"])} for row in rows]
