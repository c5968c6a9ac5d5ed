"""Checks on money: nobody paid twice, nobody paid for nothing, nobody got goods for nothing."""

from typing import Any, Final

from doorbuster.ledger import SOLD
from doorbuster.quantities import money_text
from doorbuster.verdicts import Verdict
from reports.checks.ruling import Finding, counted, ruled
from reports.evidence import Run
from reports.reading.derived import sql_list

_KEPT: Final = """
WITH given_back AS (
  SELECT charge_id, sum(amount) AS amount FROM refunds GROUP BY charge_id
), kept AS (
  SELECT merchant_ref, count(*) AS charges,
         sum(taken.amount - coalesce(given_back.amount, 0))::BIGINT AS amount,
         count(*) FILTER (WHERE coalesce(given_back.amount, 0) < taken.amount) AS unrefunded,
         sum(taken.amount) FILTER (WHERE coalesce(given_back.amount, 0) < taken.amount)::BIGINT
           AS charged,
         min(created_at) AS first_at
  FROM charges AS taken LEFT JOIN given_back USING (charge_id)
  WHERE state = 'captured' GROUP BY merchant_ref
)
"""
"""Per order: captured charges, those not fully refunded and what they were, the money kept."""

_TOO_MUCH: Final = f"""
{_KEPT}
SELECT merchant_ref AS order_id, placed.user_ref, kept.unrefunded AS charges_kept,
       kept.amount AS kept_minor, placed.total AS total_minor
FROM kept LEFT JOIN orders AS placed ON placed.order_id = merchant_ref
WHERE kept.unrefunded > 1
   OR (kept.unrefunded = 1 AND placed.total IS NOT NULL
       AND (kept.charged <> placed.total
            OR (kept.amount < placed.total AND placed.status <> 'partially_refunded')))
"""

_UNPAIRED: Final = f"""
{_KEPT}
SELECT coalesce(placed.order_id, merchant_ref) AS order_id, placed.user_ref, placed.status,
       kept.amount AS kept_minor, placed.total AS total_minor,
       CASE WHEN placed.status IN {sql_list(SOLD)} THEN 'free order'
            WHEN placed.order_id IS NULL THEN 'paid, no such order'
            ELSE 'paid, order is ' || placed.status END AS why
FROM (SELECT * FROM kept WHERE unrefunded > 0) AS kept
FULL JOIN orders AS placed ON placed.order_id = merchant_ref
WHERE (placed.status IN {sql_list(SOLD)}) IS DISTINCT FROM (merchant_ref IS NOT NULL)
  AND (merchant_ref IS NOT NULL OR (placed.status IN {sql_list(SOLD)} AND placed.total > 0))
"""

_SEEN: Final = f"""
SELECT (SELECT count(*) FROM charges WHERE state = 'captured') AS captured,
       (SELECT count(*) FROM refunds) AS refunds,
       (SELECT count(*) FROM orders WHERE status IN {sql_list(SOLD)}) AS paid_orders
"""


def no_double_charge(run: Run) -> Verdict:
    """No order was charged more than once net of refunds, or another amount than its total."""
    seen = run.row(_SEEN)
    wrong = run.row(f"SELECT count(*) AS n FROM ({_TOO_MUCH})")["n"]
    first = run.rows(f"{_TOO_MUCH} ORDER BY charges_kept DESC, order_id LIMIT 5")
    sentence = _too_much(wrong, first) if wrong else None
    # A refund may still be on its way while the shop has not come to rest.
    return ruled(
        "no_double_charge",
        Finding(
            broken=[sentence] if not run.unsettled else (),
            doubts=(
                run.provider_unread,
                f"{run.unsettled}; so far {sentence}" if run.unsettled and sentence else None,
                run.ledger_unread,
                None if seen["captured"] else "nothing was charged, so nothing could be twice",
                run.unsettled,
            ),
            sound=f"{counted(seen['captured'], 'captured charge')}, at most one kept for each "
            "order, each of the order's total",
            counts={**seen, "orders_charged_wrongly": wrong},
            witnesses=first,
        ),
    )


def no_orphan_charge(run: Run) -> Verdict:
    """Every charge that was kept has its paid order, and every paid order has its charge."""
    seen = run.row(_SEEN)
    unpaired = run.rows(
        f"SELECT why = 'free order' AS free, count(*) AS n, "
        f"coalesce(sum(coalesce(kept_minor, total_minor)), 0)::BIGINT AS minor "
        f"FROM ({_UNPAIRED}) GROUP BY free"
    )
    both_read = run.ledger_was_read and run.provider_was_read
    free = next((row for row in unpaired if row["free"]), {"n": 0, "minor": 0})
    orphan = next((row for row in unpaired if not row["free"]), {"n": 0, "minor": 0})
    sentences = [_sentence(orphan, "captured charge", "have no paid order")]
    sentences += [_sentence(free, "paid order", "have no charge")]
    certain = both_read and not run.unsettled
    return ruled(
        "no_orphan_charge",
        Finding(
            broken=sentences if certain else (),
            doubts=(
                run.provider_unread,
                run.ledger_unread,
                run.unsettled,
                None
                if seen["captured"] or seen["paid_orders"]
                else "nothing was charged and nothing was sold",
            ),
            sound=f"{counted(seen['captured'], 'captured charge')} and "
            f"{counted(seen['paid_orders'], 'paid order')} pair off",
            counts={**seen, "orphan_charges": orphan["n"], "free_orders": free["n"]},
            witnesses=run.rows(f"{_UNPAIRED} ORDER BY why, order_id LIMIT 5") if both_read else (),
        ),
    )


def _too_much(wrong: int, first: list[dict[str, Any]]) -> str:
    worst = first[0]
    return (
        f"{counted(wrong, 'order')} charged wrongly; {worst['order_id']}: "
        f"{counted(worst['charges_kept'], 'charge')} kept, "
        f"{money_text(worst['kept_minor'])} in all"
    )


def _sentence(row: dict[str, Any], noun: str, lack: str) -> str | None:
    if not row["n"]:
        return None
    return f"{counted(row['n'], noun)} ({money_text(row['minor'])}) {lack}"
