"""Has everything come to an end? An order that waits for ever keeps its units and its buyer."""

from typing import Any, Final

from doorbuster.ledger import PAYABLE
from doorbuster.verdicts import Verdict
from reports.checks.ruling import Finding, counted, ruled
from reports.evidence import Run
from reports.reading.derived import sql_list

UNFINISHED: Final = PAYABLE | {"refund_pending"}
"""States that something has to come after; `review` is for people, and may take as long."""

SETTLING_S: Final = 10.0
"""What finding out about payments may take beyond the end of the last hold."""

_STUCK: Final = f"""
SELECT order_id, client_ref, user_ref, status, updated_at AS since, total AS total_minor
FROM orders WHERE status IN {sql_list(UNFINISHED)}
"""

_HOLDS: Final = f"""
SELECT held.order_id, held.sku, held.qty, held.expires_at,
       coalesce(placed.status, 'no such order') AS status
FROM reservations AS held LEFT JOIN orders AS placed USING (order_id)
WHERE held.state = 'active' AND coalesce(placed.status NOT IN {sql_list(PAYABLE)}, true)
"""


def no_stuck_order(run: Run) -> Verdict:
    """Once the shop had time to come to rest, no order and no hold was still waiting.

    The time is that of a hold and of the reconciliation. A shop that is not at rest by then has
    orders that wait for ever; one that was read earlier may just not be done.
    """
    stuck, holds = run.rows(f"{_STUCK} ORDER BY since, order_id"), run.rows(_HOLDS)
    orders = run.row("SELECT count(*) AS n FROM orders")["n"]
    waited = _had_time(run) and run.ledger_was_read
    return ruled(
        "no_stuck_order",
        Finding(
            broken=(_stuck(stuck), _left(holds)) if waited else (),
            doubts=(
                run.ledger_unread,
                None if waited else "the books were read before the shop had time to come to rest",
                None if orders else "the ledger holds no order, so none could be stuck",
                run.unsettled,
            ),
            sound=f"all {counted(orders, 'order')} came to an end",
            counts={"orders": orders, "stuck_orders": len(stuck), "stray_holds": len(holds)},
            witnesses=stuck + holds,
        ),
    )


def _had_time(run: Run) -> bool:
    if run.timeline.quiesced:
        return True
    waited_s = [e.detail.get("waited_s") for e in run.journal if e.name == "quiesced"]
    needed_s = run.plan.storefront.hold + SETTLING_S
    return any(isinstance(each, int | float) and each >= needed_s for each in waited_s)


def _stuck(rows: list[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    first = rows[0]
    return (
        f"{counted(len(rows), 'order')} never came to an end; {first['order_id']} is "
        f"{first['status']} since {first['since']}"
    )


def _left(rows: list[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    first = rows[0]
    return (
        f"{counted(len(rows), 'hold')} without an order that waits for payment; first "
        f"{first['qty']:,} of {first['sku']} for {first['order_id']}, {first['status']}"
    )
