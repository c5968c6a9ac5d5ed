"""Rows for the charts: one per second and line, summed over generator processes."""

from typing import Any, Final

from reports.evidence import Run
from reports.figures.buckets import phase_seconds
from reports.figures.latency import percentiles

Rows = list[dict[str, Any]]

ITEMS_MAX: Final = 5

_ARRIVALS: Final = """
SELECT second, what, sum(value)::BIGINT AS value
FROM (UNPIVOT (SELECT second, offered, started, missed FROM generator_seconds WHERE second >= 0)
      ON offered, started, missed INTO NAME what VALUE value)
GROUP BY second, what ORDER BY second, what
"""

_OUTCOMES: Final = """
SELECT second, second + 1 AS until, what, sum(value)::BIGINT AS value
FROM (UNPIVOT (SELECT second, ok, refused, fail + info AS errors FROM operation_seconds
               WHERE second >= 0 AND second < $length_s)
      ON ok, refused, errors INTO NAME what VALUE value)
GROUP BY second, what ORDER BY second, what
"""

_STOCK: Final = """
WITH sold_most AS (
  SELECT sku, max((sold + reserved) / greatest(initial, 1)) AS gone FROM stock_seconds
  GROUP BY sku ORDER BY gone DESC, sku LIMIT $items
)
SELECT round(at_s, 2) AS second, sku AS what,
       round(100 * available / greatest(initial, 1), 2) AS value
FROM stock_seconds JOIN sold_most USING (sku) WHERE at_s >= 0 ORDER BY gone DESC, sku, at_s
"""

_REPLICATION: Final = """
SELECT round(at_s, 2) AS second, 'lag' AS what, round(lag_s, 4) AS value
FROM replication_seconds WHERE at_s >= 0 ORDER BY at_s
"""

_PROCESSES: Final = """
SELECT round(at_s, 2) AS second, component AS what, round(cpu_share, 4) AS value
FROM process_seconds WHERE at_s >= 0 ORDER BY component, at_s
"""


def arrivals(run: Run) -> Rows:
    return run.rows(_ARRIVALS)


def outcomes(run: Run) -> Rows:
    return run.rows(_OUTCOMES, length_s=run.plan.length_s)


def stock(run: Run) -> Rows:
    return run.rows(_STOCK, items=ITEMS_MAX)


def replication(run: Run) -> Rows:
    return run.rows(_REPLICATION)


def processes(run: Run) -> Rows:
    return run.rows(_PROCESSES)


def latency(run: Run, op: str) -> Rows:
    """Return the percentiles of intended latency of each second that has a sample."""
    tag = f"{op}.intended"
    seconds = {str(second): (second,) for second in phase_seconds(run.plan, None)}
    found = percentiles(run, seconds, (tag,))
    return [
        {"second": int(second), "what": what, "value": value}
        for (second, _), p in sorted(found.items(), key=lambda item: int(item[0][0]))
        for what, value in (("p50", p.p50_s), ("p95", p.p95_s), ("p99", p.p99_s))
    ]
