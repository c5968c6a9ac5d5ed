"""The figures of a run as one value: what `summary.json` holds and what the pages show."""

from typing import Final

import msgspec

from doorbuster.ledger import SOLD
from reports.evidence import Run
from reports.figures.buckets import OUTSIDE_FAULTS, phase_buckets, phase_seconds, without
from reports.figures.counts import OperationFigures, operation_figures
from reports.figures.funnel import FunnelFigures, funnel_figures
from reports.figures.generator import GeneratorFigures, generator_figures
from reports.figures.loss import Loss, losses
from reports.figures.recovery import FaultFigures, fault_figures
from reports.reading.derived import sql_list

SCHEMA: Final = 1

_SALE: Final = f"""
SELECT count(DISTINCT client_ref) FILTER (WHERE op = 'reserve' AND outcome = 'ok')
         AS confirmed_orders,
       count(DISTINCT client_ref) FILTER (WHERE op = 'pay' AND outcome = 'ok')
         AS confirmed_payments,
       (SELECT coalesce(sum(amount), 0)::BIGINT FROM
         (SELECT max(amount) AS amount FROM operations WHERE op = 'pay' AND outcome = 'ok'
          GROUP BY client_ref)) AS revenue_minor,
       count(*) FILTER (WHERE outcome = 'info') AS indeterminate,
       count(*) AS operations_with_effect,
       (SELECT count(*) FROM orders) AS ledger_orders,
       (SELECT count(*) FROM orders WHERE status IN {sql_list(SOLD)}) AS ledger_paid
FROM operations
"""


class SaleFigures(msgspec.Struct, frozen=True):
    """What the shop told its clients, and what its ledger holds; money in minor units.

    The two differ by what nobody was told, such as an order whose answer came too late.
    """

    confirmed_orders: int
    confirmed_payments: int
    revenue_minor: int
    indeterminate: int
    operations_with_effect: int
    ledger_orders: int | None
    ledger_paid: int | None


class Summary(msgspec.Struct, frozen=True):
    """The figures of one run."""

    schema: int
    run_id: str
    plan: str
    seed: int
    sale: SaleFigures
    funnel: FunnelFigures | None
    generator: tuple[GeneratorFigures, ...]
    figures: tuple[OperationFigures, ...]
    recovery: tuple[FaultFigures, ...]
    rpo: tuple[Loss, ...]
    cut_lines: dict[str, int]


def summarise(run: Run) -> Summary:
    """Count everything once."""
    faults = fault_figures(run)
    buckets = phase_buckets(run.plan)
    if faults:
        spans = (fault.disturbed_s for fault in faults)
        buckets[OUTSIDE_FAULTS] = without(phase_seconds(run.plan, None), spans)
    return Summary(
        schema=SCHEMA,
        run_id=run.run_id,
        plan=run.plan.name,
        seed=run.plan.seed,
        sale=_sale(run),
        funnel=funnel_figures(run),
        generator=tuple(generator_figures(run)),
        figures=tuple(operation_figures(run, buckets)),
        recovery=tuple(faults),
        rpo=tuple(losses(run)),
        cut_lines=dict(run.cut_lines),
    )


def _sale(run: Run) -> SaleFigures:
    sale = msgspec.convert(run.row(_SALE), SaleFigures)
    if run.ledger_was_read:
        return sale
    return msgspec.structs.replace(sale, ledger_orders=None, ledger_paid=None)
