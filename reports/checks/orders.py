"""Checks on orders: what was confirmed is there, what is there was asked for, and once."""

from typing import Any, Final

from doorbuster.operations import SECOND
from doorbuster.quantities import money_text
from doorbuster.verdicts import Verdict
from reports.checks.ruling import Finding, counted, indeterminacy, ruled
from reports.evidence import Run
from reports.figures.loss import losses

_CONFIRMED: Final = """
SELECT count(DISTINCT told) FILTER (WHERE op = 'reserve') AS confirmed_orders,
       count(DISTINCT told) FILTER (WHERE op = 'pay') AS confirmed_payments
FROM (SELECT op, coalesce(order_id, client_ref) AS told FROM confirmations)
"""

_LOST: Final = """
SELECT (SELECT count(*) FROM lost_orders) AS lost_orders,
       (SELECT coalesce(sum(amount), 0)::BIGINT FROM lost_orders) AS lost_money_minor
"""

_RECOVERED: Final = """
SELECT count(*) AS recovered FROM operations
WHERE op = 'reserve' AND outcome = 'info' AND client_ref IN (SELECT client_ref FROM orders)
"""

_PHANTOMS: Final = """
SELECT placed.order_id, placed.client_ref, placed.user_ref, placed.created_at, placed.status,
       CASE WHEN asked.client_ref IS NULL THEN 'nobody asked for it'
            ELSE 'the client was told no: ' || asked.reason END AS why
FROM orders AS placed
LEFT JOIN (
  SELECT client_ref, bool_or(outcome <> 'fail') AS possible, any_value(reason) AS reason
  FROM operations WHERE op = 'reserve' GROUP BY client_ref
) AS asked USING (client_ref)
WHERE NOT coalesce(asked.possible, $records_missing)
"""

_TWICE: Final = """
SELECT client_ref, count(*) AS orders, min(order_id) AS first_order, max(order_id) AS last_order
FROM orders GROUP BY client_ref HAVING count(*) > 1
"""

_ANSWERS: Final = f"""
SELECT op, key, any_value(client_ref) AS client_ref, count(DISTINCT tried.order_id) AS answers,
       min(tried.order_id) AS one_order, max(tried.order_id) AS other_order
FROM (SELECT op, key, client_ref, unnest(attempts) AS tried FROM operations
      WHERE len(attempts) > 1
         OR key IN (SELECT key FROM operations WHERE ends_with(id, '{SECOND}')))
WHERE tried.outcome = 'ok' AND tried.order_id IS NOT NULL
GROUP BY op, key HAVING count(DISTINCT tried.order_id) > 1
"""


def no_order_lost(run: Run) -> Verdict:
    """Every order the shop confirmed is in its ledger, and every confirmed payment is too.

    An operation whose outcome is unknown may or may not be there: a timed-out purchase that turns
    up later was recovered, not invented. A confirmed one that is missing was lost.
    """
    confirmed, lost = run.row(_CONFIRMED), run.row(_LOST)
    read = run.ledger_was_read
    loss = losses(run)
    return ruled(
        "no_order_lost",
        Finding(
            broken=[_lost_sentence(run, confirmed, lost)] if read and lost["lost_orders"] else (),
            doubts=(
                run.ledger_unread,
                None
                if confirmed["confirmed_orders"]
                else "no order was confirmed, so none could be lost",
                run.unsettled,
            ),
            sound=f"all {counted(confirmed['confirmed_orders'], 'confirmed order')} and "
            f"{counted(confirmed['confirmed_payments'], 'confirmed payment')} are in the ledger",
            counts={
                **confirmed,
                "lost_orders": lost["lost_orders"] if read else None,
                "lost_money_minor": lost["lost_money_minor"] if read else None,
                "rpo_s": max((x.rpo_s for x in loss if x.rpo_s is not None), default=None),
                **run.row(_RECOVERED),
                **indeterminacy(run),
            },
            witnesses=_first_lost(run) if read else (),
        ),
    )


def no_phantom_order(run: Run) -> Verdict:
    """Every order in the ledger was asked for by a client that was not told no."""
    missing = run.timeline.records_missing
    known = {"records_missing": missing is not None}
    phantoms = run.row(f"SELECT count(*) AS phantoms FROM ({_PHANTOMS})", **known)["phantoms"]
    seen = run.row(
        "SELECT (SELECT count(*) FROM orders) AS orders, count(*) AS operations FROM operations"
    )
    first = run.rows(f"{_PHANTOMS} ORDER BY created_at, order_id LIMIT 5", **known)
    broken = None
    if phantoms and seen["operations"] and not run.unreferenced:
        broken = (
            f"{phantoms:,} of {counted(seen['orders'], 'order')} in the ledger should not exist; "
            f"first {first[0]['order_id']}: {first[0]['why']}"
        )
    return ruled(
        "no_phantom_order",
        Finding(
            broken=[broken],
            doubts=(
                run.ledger_unread,
                None if seen["operations"] else "no operation was recorded to compare with",
                None if seen["orders"] else "the ledger holds no order, so none could be false",
                run.unreferenced,
                missing,
                run.unsettled,
            ),
            sound=f"all {counted(seen['orders'], 'order')} in the ledger were asked for",
            counts={"orders": seen["orders"], "phantoms": phantoms, **indeterminacy(run)},
            witnesses=first if broken else (),
        ),
    )


def one_order_per_key(run: Run) -> Verdict:
    """However often a client repeats itself under one key, it gets one order, and the same one."""
    twice = 0 if run.unreferenced else run.row(f"SELECT count(*) AS n FROM ({_TWICE})")["n"]
    differing = run.row(f"SELECT count(*) AS keys FROM ({_ANSWERS})")["keys"]
    seen = run.row(
        "SELECT (SELECT count(*) FROM orders) AS orders, "
        "count(*) FILTER (WHERE len(attempts) > 1) AS retried_operations FROM operations"
    )
    return ruled(
        "one_order_per_key",
        Finding(
            broken=(
                f"{counted(twice, 'client reference')} with more than one order" if twice else None,
                f"{counted(differing, 'key')} answered with different orders"
                if differing
                else None,
            ),
            doubts=(
                run.ledger_unread,
                None if seen["orders"] else "the ledger holds no order, so none could be double",
                run.unreferenced,
                run.unsettled,
            ),
            sound=f"{counted(seen['orders'], 'order')}, each of its own client reference, with "
            f"{counted(seen['retried_operations'], 'retried operation')}",
            counts={
                **seen,
                "references_with_several": twice,
                "keys_answered_differently": differing,
            },
            witnesses=(
                run.rows(f"{_TWICE} ORDER BY orders DESC, client_ref LIMIT 3") if twice else []
            )
            + run.rows(f"{_ANSWERS} ORDER BY key LIMIT 2"),
        ),
    )


def _lost_sentence(run: Run, confirmed: dict[str, Any], lost: dict[str, Any]) -> str:
    reasons = run.rows("SELECT loss, count(*) AS n FROM lost_orders GROUP BY loss ORDER BY loss")
    split = ", ".join(f"{row['n']:,} {row['loss']}" for row in reasons)
    return (
        f"{lost['lost_orders']:,} of {counted(confirmed['confirmed_orders'], 'confirmed order')} "
        f"({money_text(lost['lost_money_minor'])}) are not in the ledger as confirmed: {split}"
    )


def _first_lost(run: Run) -> list[dict[str, Any]]:
    return run.rows(
        "SELECT order_id, client_ref, user_ref, amount AS amount_minor, "
        "round(confirmed_s, 3) AS confirmed_s, loss AS why "
        "FROM lost_orders ORDER BY confirmed_s, order_id LIMIT 5"
    )
