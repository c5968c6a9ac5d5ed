"""What a database fault cost for good: confirmed orders that are not in the ledger."""

from typing import Any, Final

import msgspec

from reports.evidence import Run
from reports.reading.timeline import FaultSpan


class Loss(msgspec.Struct, frozen=True):
    """Confirmed orders lost with a database fault (its recovery point).

    Args:
        rpo_s: From the confirmation of the earliest lost order to the fault, or to the newest
            lost confirmation when that came later: the fault acts a little after its begin.
        newest_surviving_s: When the newest confirmed order that survived was confirmed, before
            the fault.
    """

    fault: str
    orders: int
    money_minor: int
    rpo_s: float | None
    earliest_lost_s: float | None
    newest_surviving_s: float | None


_LOST: Final = """
SELECT count(*) AS orders, coalesce(sum(amount), 0)::BIGINT AS money_minor,
       min(confirmed_s) AS earliest_s, max(confirmed_s) AS latest_s
FROM lost_orders WHERE sent_s > $after_s AND sent_s <= $until_s
"""
"""What was asked for while the lost node still answered; answers can be long on their way."""

_SURVIVED: Final = """
SELECT max(ended_s) AS newest_s FROM confirmations WHERE loss IS NULL AND ended_s <= $until_s
"""


def is_database_loss(fault: FaultSpan) -> bool:
    """Tell whether `fault` ends a database node, so that what it confirmed may be gone."""
    node = fault.kind == "kill" and fault.on.startswith("postgres")
    return node or fault.kind in ("failover", "restore")


def lost_at_s(run: Run, fault: FaultSpan) -> float:
    """Return the last moment at which the lost node can have taken anything on.

    A primary that was only paused, and not fenced, takes on more for as long as the run lasts.
    """
    failover = next((f.failover for f in run.plan.faults if f.name == fault.name), None)
    if failover is not None and not failover.fence:
        return float("inf")
    steps_s = fault.steps_s
    return steps_s.get("primary ended", steps_s.get("lost", fault.active_s or fault.begin_s))


def losses(run: Run) -> list[Loss]:
    """Return the loss with each database fault; none when the ledger was not read."""
    if not run.ledger_was_read:
        return []
    found, after_s = [], float("-inf")
    for fault in run.timeline.faults:
        if is_database_loss(fault):
            until_s = lost_at_s(run, fault)
            found.append(_loss(run, fault, after_s=after_s, until_s=until_s))
            after_s = until_s
    return found


def _loss(run: Run, fault: FaultSpan, *, after_s: float, until_s: float) -> Loss:
    lost: dict[str, Any] = run.row(_LOST, after_s=after_s, until_s=until_s)
    rpo_s = None
    if lost["orders"]:
        rpo_s = round(max(fault.begin_s, lost["latest_s"]) - lost["earliest_s"], 3)
    return Loss(
        fault=fault.name,
        orders=lost["orders"],
        money_minor=lost["money_minor"],
        rpo_s=rpo_s if lost["orders"] else 0.0,
        earliest_lost_s=lost["earliest_s"],
        newest_surviving_s=run.row(_SURVIVED, until_s=until_s)["newest_s"],
    )
