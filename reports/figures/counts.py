"""Outcomes of operations, counted over buckets of seconds."""

from typing import Final

import msgspec

from reports.evidence import Run
from reports.figures.buckets import BUCKETS_SQL, Buckets, bucket_parameters
from reports.figures.latency import Percentiles, percentiles

ALL: Final = "all"
"""All operations together."""

# An invocation that never got a completion was due too, and nobody knows how it ended.
_OUTCOMES: Final = f"""
WITH {BUCKETS_SQL}, due AS (
  SELECT second, op, due, ok, refused, fail, info, served, good FROM operation_seconds
  WHERE due > 0
  UNION ALL
  SELECT floor(coalesce(due_s, invoked_s))::BIGINT, op, 1, 0, 0, 0, 1, 0, 0
  FROM operations WHERE reason = 'no_completion'
)
SELECT bucket, coalesce(op, '{ALL}') AS op, sum(due)::BIGINT AS due, sum(ok)::BIGINT AS ok,
       sum(refused)::BIGINT AS refused, sum(fail)::BIGINT AS fail, sum(info)::BIGINT AS info,
       sum(served)::BIGINT AS served, sum(good)::BIGINT AS good
FROM due JOIN buckets USING (second)
GROUP BY GROUPING SETS ((bucket, op), (bucket))
ORDER BY bucket, op
"""


class Counts(msgspec.Struct, frozen=True):
    """Operations due in a bucket, by outcome; `seconds` is the bucket's length."""

    seconds: int
    due: int = 0
    ok: int = 0
    refused: int = 0
    fail: int = 0
    info: int = 0
    served: int = 0
    good: int = 0

    @property
    def error_share(self) -> float | None:
        """Fails that are not refusals and infos, of all due; None when none was due."""
        return (self.fail + self.info) / self.due if self.due else None

    @property
    def goodput_per_s(self) -> float | None:
        """Operations that ended ok within their limit, per second."""
        return self.good / self.seconds if self.seconds and self.due else None


class OperationFigures(msgspec.Struct, frozen=True):
    """One operation in one bucket."""

    bucket: str
    op: str
    counts: Counts
    error_share: float | None
    goodput_per_s: float | None
    intended: Percentiles | None
    service: Percentiles | None


def counts(run: Run, buckets: Buckets) -> dict[tuple[str, str], Counts]:
    """Return the counts by (bucket, operation), and by (bucket, `ALL`)."""
    lengths = {name: len(list(seconds)) for name, seconds in buckets.items()}
    return {
        (row.pop("bucket"), row.pop("op")): Counts(**row)
        for row in (
            {**row, "seconds": lengths[row["bucket"]]}
            for row in run.rows(_OUTCOMES, **bucket_parameters(buckets))
        )
    }


def operation_figures(run: Run, buckets: Buckets) -> list[OperationFigures]:
    """Return counts and latencies for each bucket and operation that had any, in order."""
    counted = counts(run, buckets)
    ops = {op for _, op in counted}
    tags = [f"{op}.{kind}" for op in ops for kind in ("intended", "service")]
    latency = percentiles(run, buckets, tags)
    return [
        OperationFigures(
            bucket=bucket,
            op=op,
            counts=figures,
            error_share=figures.error_share,
            goodput_per_s=figures.goodput_per_s,
            intended=latency.get((bucket, f"{op}.intended")),
            service=latency.get((bucket, f"{op}.service")),
        )
        for bucket in buckets
        for op in sorted(ops, key=lambda op: (op == ALL, op))
        if (figures := counted.get((bucket, op)))
    ]
