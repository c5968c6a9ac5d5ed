"""Did anybody get more than one buyer may have: units of an item, or uses of a coupon?"""

from typing import Any, Final

from doorbuster.ledger import PAYABLE, SOLD
from doorbuster.verdicts import Verdict
from reports.checks.ruling import Finding, counted, ruled
from reports.evidence import Run
from reports.reading.derived import sql_list

_LIMITS: Final = """
WITH planned AS (
  SELECT unnest($skus::VARCHAR[]) AS sku, unnest($limits::BIGINT[]) AS limit_per_user
), limits AS (
  SELECT sku, coalesce(planned.limit_per_user, offers.limit_per_user) AS most
  FROM planned FULL JOIN offers USING (sku) WHERE most IS NOT NULL
)
"""

_UNITS: Final = f"""
{_LIMITS}
SELECT owed.user_ref, owed.sku AS what, sum(owed.qty)::BIGINT AS had, any_value(most) AS most,
       count(DISTINCT order_id) AS orders, min(order_id) AS one_order, max(order_id) AS other_order
FROM owed JOIN limits USING (sku)
GROUP BY owed.user_ref, owed.sku HAVING had > any_value(most)
"""
"""Cancelled, expired and refunded orders count no more: what they had came back."""

_USES: Final = f"""
WITH used AS (
  SELECT order_id, code FROM coupon_uses WHERE state = 'used'
  UNION SELECT order_id, rule FROM order_discounts WHERE step = 'coupon'
), counted AS (
  SELECT placed.user_ref, used.code, placed.order_id
  FROM used JOIN orders AS placed USING (order_id)
  WHERE placed.status IN {sql_list(SOLD | PAYABLE)}
)
"""
"""A coupon counts where it was written down as used, and where it took something off."""

_COUPONS: Final = f"""
{_USES}
SELECT user_ref, code AS what, count(*) AS had, any_value(per_user_limit) AS most,
       count(*) AS orders, min(order_id) AS one_order, max(order_id) AS other_order
FROM counted JOIN coupons USING (code)
GROUP BY user_ref, code HAVING had > any_value(per_user_limit)
UNION ALL
SELECT NULL, code, count(*) AS had, any_value(usage_limit),
       count(*), min(order_id), max(order_id)
FROM counted JOIN coupons USING (code)
GROUP BY code HAVING had > any_value(usage_limit)
UNION ALL
SELECT user_ref, code, held.claimed, per_user_limit, 0, NULL, NULL
FROM coupon_claims AS held JOIN coupons USING (code) WHERE held.claimed > per_user_limit
UNION ALL
SELECT NULL, code, sum(held.claimed)::BIGINT AS had, any_value(usage_limit), 0, NULL, NULL
FROM coupon_claims AS held JOIN coupons USING (code)
GROUP BY code HAVING had > any_value(usage_limit)
"""

_SEEN: Final = f"""
{_LIMITS}
SELECT (SELECT count(*) FROM limits) AS limited_skus, (SELECT count(*) FROM coupons) AS coupons,
       (SELECT count(*) FROM orders) AS orders,
       (SELECT count(*) FROM owed WHERE sku IN (SELECT sku FROM limits)) AS limited_lines,
       (SELECT coalesce(sum(claimed), 0)::BIGINT FROM coupon_claims) AS claims
"""


def limits_held(run: Run) -> Verdict:
    """Nobody has more units of an item, and nobody used more of a coupon, than the sale allows.

    Counted by orders: the shop's own counters are what a race between two checkouts gets past.
    """
    limits = {sku: item.limit_per_user for item in run.plan.sale.items for sku in item.skus}
    planned = {"skus": list(limits), "limits": list(limits.values())}
    seen = run.row(_SEEN, **planned)
    units = run.rows(f"{_UNITS} ORDER BY had DESC, user_ref, what", **planned)
    coupons = run.rows(f"SELECT * FROM ({_COUPONS}) ORDER BY had DESC, what, user_ref")
    return ruled(
        "limits_held",
        Finding(
            broken=(_beyond(units, "buyer"), _beyond(coupons, "coupon limit")),
            doubts=(
                run.ledger_unread,
                None if seen["orders"] else "the ledger holds no order, so no limit was tried",
                run.unsettled,
            ),
            sound=_sound(seen),
            counts={**seen, "beyond_limit": len(units) + len(coupons)},
            witnesses=units + coupons,
        ),
    )


def _sound(seen: dict[str, Any]) -> str:
    if not seen["limited_skus"] and not seen["coupons"]:
        return f"{counted(seen['orders'], 'order')} of a sale without limits or coupons"
    return (
        f"{counted(seen['limited_lines'], 'order line')} of {seen['limited_skus']:,} limited SKUs "
        f"and {counted(seen['claims'], 'claim')} of {counted(seen['coupons'], 'coupon')}, "
        "none beyond its limit"
    )


def _beyond(rows: list[dict[str, Any]], noun: str) -> str | None:
    if not rows:
        return None
    worst = rows[0]
    who = f"{worst['user_ref']} has" if worst["user_ref"] else "buyers have"
    return (
        f"{counted(len(rows), noun)} beyond the limit; {who} {worst['had']:,} of {worst['what']}, "
        f"where {worst['most']:,} are allowed"
    )
