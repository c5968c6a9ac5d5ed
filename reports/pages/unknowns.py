"""What a run does not know: said out loud, since silence reads as a pass."""

from reports.evidence import Run
from reports.judging import Review
from reports.pages.phrases import share

_ASSUMPTIONS = (
    "Every process ran on one machine and shares its clock and its cores with the generator.",
    "The payment provider is a simulator; its book is taken as the truth about money.",
)


def unknowns(run: Run, answer: Review) -> list[str]:
    """Return one sentence for each thing that the evidence does not decide."""
    found = [f"{v.name}: {v.evidence}." for v in answer.verdicts if v.ruling == "unknown"]
    found += [
        f"{name}: not possible at this level; it needs {lacking}."
        for name, lacking in answer.impossible.items()
    ]
    found += [
        f"{file}: {lines} unfinished last line was left out."
        for file, lines in run.cut_lines.items()
    ]
    sale = answer.summary.sale
    if sale.indeterminate:
        ratio = share(sale.indeterminate / sale.operations_with_effect)
        found.append(
            f"The outcome of {sale.indeterminate:,} of {sale.operations_with_effect:,} operations "
            f"with an effect ({ratio}) is known to nobody but the books: they may or may not have "
            "worked."
        )
    found += _unsampled(run)
    planned = {fault.name for fault in run.plan.faults}
    happened = {fault.name for fault in run.timeline.faults}
    found += [f"The fault {name!r} was planned and never begun." for name in planned - happened]
    if not run.timeline.clean:
        found.append("Whether the run left a process, a folder or a port behind.")
    return [*found, *_ASSUMPTIONS]


def _unsampled(run: Run) -> list[str]:
    tables = {
        "stock_seconds": "Stock was not sampled during the run, only read at its end.",
        "replication_seconds": "Replication lag was not sampled.",
        "process_seconds": "CPU and memory of the components were not sampled.",
    }
    return [
        sentence
        for table, sentence in tables.items()
        if not run.row(f"SELECT count(*) AS n FROM {table}")["n"]
    ]
