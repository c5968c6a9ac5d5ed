"""Percentiles of latency, from the sparse counts of the latency logs."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from reports.evidence import Run
from reports.figures.buckets import BUCKETS_SQL, Buckets, bucket_parameters

_RANKED: Final = f"""
WITH {BUCKETS_SQL}, merged AS (
  SELECT bucket, what AS tag, value_us, sum(count) AS n
  FROM (SELECT *, CASE WHEN $apart THEN tag || ' ' || source ELSE tag END AS what FROM latency)
  JOIN buckets USING (second) WHERE tag IN (SELECT unnest($tags::VARCHAR[]))
  GROUP BY bucket, what, value_us
), ranked AS (
  SELECT bucket, tag, value_us,
         sum(n) OVER (PARTITION BY bucket, tag ORDER BY value_us) AS upto,
         sum(n) OVER (PARTITION BY bucket, tag) AS total
  FROM merged
)
SELECT bucket, tag, any_value(total)::BIGINT AS samples, max(value_us) AS max_us
"""


class Percentiles(msgspec.Struct, frozen=True):
    """Latencies in seconds; percentile q is the smallest value that a share q does not exceed."""

    samples: int
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float


def percentiles(
    run: Run, buckets: Buckets, tags: Sequence[str]
) -> dict[tuple[str, str], Percentiles]:
    """Return the percentiles by (bucket, tag); what has no sample has no entry."""
    rows = _quantiles(run, buckets, tags, quantiles=(0.5, 0.95, 0.99))
    return {
        (row["bucket"], row["tag"]): Percentiles(
            samples=row["samples"],
            p50_s=row["q0"] / 1e6,
            p95_s=row["q1"] / 1e6,
            p99_s=row["q2"] / 1e6,
            max_s=row["max_us"] / 1e6,
        )
        for row in rows
    }


def worst_p99_s(run: Run, buckets: Buckets, tag: str) -> dict[str, float]:
    """Return the p99 by bucket, of the generator process that did worst in it.

    Merged, the many good ones would hide a bad one.
    """
    rows = _quantiles(run, buckets, (tag,), quantiles=(0.99,), apart=True)
    worst: dict[str, float] = {}
    for row in rows:
        worst[row["bucket"]] = max(row["q0"] / 1e6, worst.get(row["bucket"], 0.0))
    return worst


def percentile_s(run: Run, seconds: Sequence[int], tag: str, *, quantile: float) -> float | None:
    """Return one percentile over `seconds`, None without a sample."""
    rows = _quantiles(run, {"": seconds}, (tag,), quantiles=(quantile,))
    return rows[0]["q0"] / 1e6 if rows else None


def _quantiles(
    run: Run,
    buckets: Buckets,
    tags: Sequence[str],
    *,
    quantiles: Sequence[float],
    apart: bool = False,
) -> list[dict[str, Any]]:
    # The small amount taken off keeps 0.07 * 100, which is a little above 7, at rank 7.
    ranks = "".join(
        f", min(value_us) FILTER (WHERE upto >= ceil({quantile!r} * total - 1e-9)) AS q{n}"
        for n, quantile in enumerate(quantiles)
    )
    query = f"{_RANKED}{ranks} FROM ranked GROUP BY bucket, tag"
    return run.rows(query, **bucket_parameters(buckets), tags=list(tags), apart=apart)
