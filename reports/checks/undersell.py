"""Was all the stock really on sale? Units that nobody has and nobody can buy are lost sales.

A refusal is judged by the orders: if at no time while it was under way the orders then alive, with
some seconds' grace at both ends, had all of the stock, then "sold out" was not true.
"""

from datetime import datetime
from typing import Any, Final

from doorbuster.ledger import PAYABLE, SOLD
from doorbuster.operations import REFUSALS
from doorbuster.verdicts import Verdict
from reports.checks.ruling import Finding, counted, ruled
from reports.evidence import Run
from reports.reading.derived import sql_list

GRACE_S: Final = 5
"""How long before and after its order a hold may count; commits and clocks are no more exact."""

_STRANDED: Final = """
WITH by_orders AS (SELECT sku, sum(qty)::BIGINT AS owed FROM owed GROUP BY sku)
SELECT sku, stocked.units, coalesce(owed, 0) AS owed, held.available,
       stocked.units - coalesce(owed, 0) - held.available AS stranded
FROM stock AS held JOIN stocked USING (sku) LEFT JOIN by_orders USING (sku)
WHERE stranded > 0 ORDER BY stranded DESC, sku
"""

_HELD: Final = f"""
WITH ends AS (
  SELECT order_id, max(event."at"::TIMESTAMPTZ) AS ended_at FROM order_events AS event
  WHERE to_status IN ('expired', 'cancelled', 'refund_pending') GROUP BY order_id
), holding AS (
  SELECT line.sku, line.qty, epoch(placed.created_at::TIMESTAMPTZ) - $zero AS from_s,
         CASE WHEN placed.status IN {sql_list(SOLD | PAYABLE | {"review"})} THEN $ended
              ELSE epoch(coalesce(ends.ended_at, placed.updated_at::TIMESTAMPTZ)) - $zero
         END AS until_s
  FROM orders AS placed JOIN order_lines AS line USING (order_id) LEFT JOIN ends USING (order_id)
  UNION ALL
  SELECT sku, coalesce(qty, 1), invoked_s, CASE WHEN outcome = 'fail' THEN ended_s ELSE $ended END
  FROM operations WHERE op = 'reserve'
    AND (outcome <> 'fail' OR reason IS NULL OR reason NOT IN {sql_list(REFUSALS)})
    AND client_ref NOT IN (SELECT client_ref FROM orders)
)
SELECT sku, greatest(floor(from_s) - {GRACE_S}, $began)::BIGINT AS first,
       least(floor(until_s) + {GRACE_S}, $ended)::BIGINT AS last, qty
FROM holding
"""
"""Who may have had units when: orders, and requests of which nobody knows what became of them."""

_REFUSED: Final = """
SELECT sku, coalesce(qty, 1) AS qty, floor(last_sent_s)::BIGINT AS first,
       floor(ended_s)::BIGINT AS last, count(*) AS refusals, min(client_ref) AS client_ref,
       min(user_ref) AS user_ref
FROM operations
WHERE op = 'reserve' AND outcome = 'fail' AND reason = 'sold_out' AND NOT EXISTS (
  SELECT 1 FROM (SELECT unnest($from_s::DOUBLE[]) AS from_s, unnest($until_s::DOUBLE[]) AS until_s)
  WHERE last_sent_s <= until_s AND ended_s >= from_s)
GROUP BY ALL
"""
"""Refusals outside of faults, by the seconds that they took."""

_UNTRUE: Final = f"""
WITH held AS ({_HELD}), refused AS ({_REFUSED}), changes AS (
  SELECT sku, first AS second, qty FROM held
  UNION ALL SELECT sku, last + 1, -qty FROM held
), seconds AS (
  SELECT sku, unnest(range(min(first), max(last) + 1)) AS second FROM refused GROUP BY sku
), taken AS (
  SELECT seconds.sku, seconds.second, coalesce(sum(changes.qty), 0)::BIGINT AS most
  FROM seconds LEFT JOIN (
    SELECT sku, second, sum(qty) AS qty FROM changes GROUP BY sku, second
  ) AS changes ON changes.sku = seconds.sku AND changes.second <= seconds.second
  GROUP BY ALL
), judged AS (
  SELECT refused.*, stocked.units, (
    SELECT max(most) FROM taken
    WHERE taken.sku = refused.sku AND taken.second BETWEEN refused.first AND refused.last
  ) AS taken
  FROM refused JOIN stocked USING (sku)
)
SELECT sku, first AS at_s, user_ref, client_ref, refusals, qty, units, taken,
       units - taken AS at_least_left
FROM judged WHERE units - taken >= qty
"""

_MADE: Final = """
SELECT asked.invoked_s, asked.ended_s, epoch(placed.created_at::TIMESTAMPTZ) AS at_s
FROM orders AS placed JOIN operations AS asked USING (client_ref)
WHERE asked.op = 'reserve' AND asked.outcome = 'ok'
"""

_ZERO: Final = f"SELECT median(at_s - (invoked_s + ended_s) / 2) AS zero_s FROM ({_MADE})"

_CLOCKS: Final = f"""
SELECT count(*) AS off FROM ({_MADE})
WHERE at_s - $zero < invoked_s - $grace OR at_s - $zero > ended_s + $grace
"""

_SEEN: Final = """
SELECT (SELECT count(*) FROM stock) AS skus,
       count(*) FILTER (WHERE outcome = 'fail' AND reason = 'sold_out') AS refusals
FROM operations WHERE op = 'reserve'
"""


def no_lost_stock(run: Run) -> Verdict:
    """Whatever nobody has is on sale, and nobody was told "sold out" while units were free."""
    seen, stranded = run.row(_SEEN), run.rows(_STRANDED)
    zero_s = _zero_s(run)
    clocks_off = _clocks_off(run, zero_s) if zero_s is not None else None
    known = run.ledger_was_read and zero_s is not None and not clocks_off
    untrue = _untrue(run, zero_s) if known and zero_s is not None and seen["refusals"] else []
    at_rest = run.ledger_was_read and not run.unsettled
    return ruled(
        "no_lost_stock",
        Finding(
            broken=(_stranded(stranded) if at_rest else None, _refused(untrue)),
            doubts=(
                run.ledger_unread,
                None if seen["skus"] else "the ledger holds no stock, so none could be lost",
                None if zero_s is not None else "the journal does not say when the run began",
                clocks_off,
                run.unsettled,
            ),
            sound=f"what nobody has of {counted(seen['skus'], 'SKU')} is on sale; "
            f"{counted(seen['refusals'], 'buyer')} told sold out, and it was",
            counts={
                **seen,
                "units_stranded": sum(row["stranded"] for row in stranded) if at_rest else None,
                "untrue_refusals": sum(row["refusals"] for row in untrue),
            },
            witnesses=[*(stranded[:2] if at_rest else ()), *untrue],
        ),
    )


def _zero_s(run: Run) -> float | None:
    """Return second 0 of the run by the shop's clock, in seconds since 1970.

    Confirmed orders tell, since each was made while its client waited; a shop elsewhere may have
    another clock than the journal.
    """
    told = run.row(_ZERO)["zero_s"]
    if told is not None:
        return float(told)
    for event in run.journal:
        if event.kind == "clock" and event.name == "zero" and run.timeline.zero_s is not None:
            ago_s = event.monotonic_s - run.timeline.zero_s
            return datetime.fromisoformat(event.wall).timestamp() - ago_s
    return None


def _clocks_off(run: Run, zero_s: float) -> str | None:
    off = run.row(_CLOCKS, zero=zero_s, grace=GRACE_S - 1)["off"]
    return (
        f"the shop dates {counted(off, 'order')} at other times than its clients" if off else None
    )


def _untrue(run: Run, zero_s: float) -> list[dict[str, Any]]:
    span = run.row(
        "SELECT floor(coalesce(min(invoked_s), 0))::BIGINT - 60 AS began, "
        "ceil(coalesce(max(coalesce(ended_s, invoked_s)), 0))::BIGINT + 60 AS ended FROM operations"
    )
    faults = run.timeline.faults
    over_s = [span["ended"] if f.lifted_s is None else f.lifted_s + GRACE_S for f in faults]
    return run.rows(
        f"{_UNTRUE} ORDER BY at_s, sku",
        zero=zero_s,
        **span,
        from_s=[fault.begin_s for fault in faults],
        until_s=over_s,
    )


def _stranded(rows: list[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    worst = rows[0]
    return (
        f"{counted(sum(row['stranded'] for row in rows), 'unit')} that nobody has and nobody can "
        f"buy; {worst['sku']}: {worst['units']:,} in stock, {worst['owed']:,} of orders, "
        f"{worst['available']:,} on sale"
    )


def _refused(rows: list[dict[str, Any]]) -> str | None:
    if not rows:
        return None
    first = rows[0]
    return (
        f"{counted(sum(row['refusals'] for row in rows), 'buyer')} told sold out while units were "
        f"free; first {first['sku']} at {first['at_s']} s, with at least "
        f"{first['at_least_left']:,} left"
    )
