"""Checks on stock: what was sold was there, and every unit is accounted for."""

from typing import Any, Final

from doorbuster.verdicts import Verdict
from reports.checks.ruling import Finding, counted, ruled
from reports.evidence import Run

_OVERSOLD: Final = """
SELECT sku, coalesce(any_value(stocked.units), 0)::BIGINT AS stock,
       sum(qty) FILTER (WHERE sold)::BIGINT AS sold,
       sum(qty) FILTER (WHERE NOT sold)::BIGINT AS held,
       (sum(qty) - coalesce(any_value(stocked.units), 0))::BIGINT AS beyond
FROM owed LEFT JOIN stocked USING (sku)
GROUP BY sku HAVING beyond > 0 ORDER BY beyond DESC, sku
"""

_CONCERNED: Final = """
WITH served AS (
  SELECT *, sum(qty) OVER (
    PARTITION BY sku ORDER BY created_at::TIMESTAMPTZ, order_id ROWS UNBOUNDED PRECEDING
  ) AS units_by_then
  FROM owed WHERE sku IN (SELECT unnest($skus))
)
SELECT sku, user_ref, order_id, client_ref, created_at, status
FROM served JOIN stocked USING (sku)
WHERE units_by_then > stocked.units
ORDER BY created_at::TIMESTAMPTZ, order_id LIMIT 5
"""

_PAID_BEYOND: Final = """
WITH paid AS (
  SELECT DISTINCT reserve.client_ref, reserve.sku, reserve.qty
  FROM operations AS pay JOIN operations AS reserve USING (client_ref)
  WHERE pay.op = 'pay' AND pay.outcome = 'ok' AND reserve.op = 'reserve'
    AND client_ref NOT IN (
      SELECT client_ref FROM operations
      WHERE op = 'cancel' AND outcome <> 'fail' AND client_ref IS NOT NULL)
)
SELECT sku, sum(coalesce(qty, 1))::BIGINT AS paid, any_value(units)::BIGINT AS stock,
       (sum(coalesce(qty, 1)) - any_value(units))::BIGINT AS beyond
FROM paid JOIN stocked USING (sku)
GROUP BY sku HAVING beyond > 0 ORDER BY beyond DESC, sku
"""

_NEGATIVE: Final = """
SELECT sku, at_s, available FROM (
  SELECT sku, at_s, available FROM stock_seconds
  UNION ALL SELECT sku, at_s, available FROM events WHERE type = 'read' AND op = 'stock'
) WHERE available < 0 ORDER BY at_s
"""

_SOLD: Final = """
SELECT coalesce(sum(qty) FILTER (WHERE sold), 0)::BIGINT AS sold,
       coalesce(sum(qty) FILTER (WHERE NOT sold), 0)::BIGINT AS held,
       count(DISTINCT sku) AS skus
FROM owed
"""

_COUNTERS: Final = """
WITH by_orders AS (
  SELECT sku, sum(qty) FILTER (WHERE sold)::BIGINT AS sold,
         sum(qty) FILTER (WHERE NOT sold)::BIGINT AS held
  FROM owed GROUP BY sku
)
SELECT sku, planned.initial AS planned, held.initial, held.adjusted, held.available,
       held.reserved, held.sold, coalesce(by_orders.held, 0) AS reserved_by_orders,
       coalesce(by_orders.sold, 0) AS sold_by_orders,
       held.available + held.reserved + held.sold - held.initial - held.adjusted AS surplus
FROM stock AS held
LEFT JOIN by_orders USING (sku)
LEFT JOIN plan_stock AS planned USING (sku)
WHERE surplus <> 0 OR held.initial <> planned.initial
   OR held.reserved <> reserved_by_orders OR held.sold <> sold_by_orders
   OR least(held.available, held.reserved, held.sold) < 0
ORDER BY abs(surplus) + abs(held.sold - sold_by_orders) DESC, sku
"""

_SAMPLES: Final = """
SELECT sku, at_s, seen.initial, seen.available, seen.reserved, seen.sold,
       seen.available + seen.reserved + seen.sold - seen.initial AS surplus
FROM stock_seconds AS seen LEFT JOIN stock AS held USING (sku)
WHERE surplus <> 0 AND surplus <> coalesce(held.adjusted, 0)
"""


def no_oversell(run: Run) -> Verdict:
    """No SKU was sold or held beyond its stock.

    Counted by orders, since the counter is what an oversell corrupts and may look fine. Without
    the ledger, more units confirmed as paid than there were is proof enough.
    """
    oversold, paid_beyond = run.rows(_OVERSOLD), run.rows(_PAID_BEYOND)
    negative = run.rows(_NEGATIVE)
    total = run.row(_SOLD)
    concerned = run.rows(_CONCERNED, skus=[row["sku"] for row in oversold]) if oversold else []
    units = total["sold"] + total["held"]
    return ruled(
        "no_oversell",
        Finding(
            broken=(
                _oversold(oversold),
                _paid_beyond(paid_beyond) if not oversold else None,
                _negative(negative),
            ),
            doubts=(
                run.ledger_unread,
                run.unsettled,
                None if units else "nothing was sold, so nothing could be sold twice",
            ),
            sound=f"{counted(units, 'unit')} sold or held of {counted(total['skus'], 'SKU')}, "
            "none beyond its stock",
            counts={
                **total,
                "skus_oversold": len(oversold),
                "units_beyond_stock": sum(row["beyond"] for row in oversold or paid_beyond),
                "negative_reads": len(negative),
            },
            witnesses=concerned or paid_beyond or negative,
        ),
    )


def stock_conserved(run: Run) -> Verdict:
    """Available, reserved and sold always add up to what was there, and agree with the orders."""
    off = run.rows(_COUNTERS)
    first = run.rows(f"{_SAMPLES} ORDER BY at_s, sku LIMIT 1")
    worst = run.rows(f"{_SAMPLES} ORDER BY abs(surplus) DESC, at_s LIMIT 1")
    seen = run.row(
        f"SELECT (SELECT count(*) FROM stock) AS skus, count(*) AS samples, "
        f"(SELECT count(*) FROM ({_SAMPLES})) AS samples_off FROM stock_seconds"
    )
    witnesses = [{"where": "ledger", **row} for row in off[:3]]
    witnesses += [{"where": "first sample", **row} for row in first]
    witnesses += [{"where": "worst sample", **row} for row in worst if worst != first]
    return ruled(
        "stock_conserved",
        Finding(
            broken=(
                # Half a ledger never adds up, whatever the shop did.
                _counters_off(off) if run.ledger_unread is None else None,
                _samples_off(seen, first),
            ),
            doubts=(
                run.ledger_unread,
                run.unsettled,
                None if seen["skus"] else "the ledger holds no stock, so nothing was compared",
            ),
            sound=f"the counters of {counted(seen['skus'], 'SKU')} add up and agree with the "
            f"orders; so do {counted(seen['samples'], 'sample')} during the run",
            counts={**seen, "skus_off": len(off)},
            witnesses=witnesses,
        ),
    )


def _oversold(rows: list[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    worst = rows[0]
    others = f", and {counted(len(rows) - 1, 'other SKU')}" if len(rows) > 1 else ""
    return (
        f"{worst['sku']}: {(worst['sold'] or 0) + (worst['held'] or 0):,} units sold or held of "
        f"{worst['stock']:,} in stock, {worst['beyond']:,} too many{others}"
    )


def _paid_beyond(rows: list[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    worst = rows[0]
    return (
        f"{worst['sku']}: clients were told that {worst['paid']:,} units are paid, of "
        f"{worst['stock']:,} in stock, {worst['beyond']:,} too many"
    )


def _negative(rows: list[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    return (
        f"the shop showed {rows[0]['available']} available of {rows[0]['sku']} "
        f"at {rows[0]['at_s']:.1f} s"
    )


def _counters_off(rows: list[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    row = rows[0]
    return (
        f"{counted(len(rows), 'SKU')} in the ledger do not add up; {row['sku']}: "
        f"{row['available']} available + {row['reserved']} reserved + {row['sold']} sold of "
        f"{row['initial'] + row['adjusted']}, while orders hold {row['reserved_by_orders']} and "
        f"sold {row['sold_by_orders']}"
    )


def _samples_off(seen: dict[str, Any], first: list[dict[str, Any]]) -> str | None:
    if not first:
        return None
    row = first[0]
    return (
        f"{counted(seen['samples_off'], 'sample')} during the run do not add up, first "
        f"{row['sku']} at {row['at_s']:.1f} s: {row['surplus']:+d} units"
    )
