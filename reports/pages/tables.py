"""The tables of the report: figures as rows of texts, in the order of a reader's questions."""

from collections.abc import Sequence
from typing import Final

from doorbuster.funnel import LOSSES
from doorbuster.verdicts import Verdict
from reports.evidence import Run
from reports.figures.buckets import OUTSIDE_FAULTS, WHOLE_RUN
from reports.figures.budgets import quantity
from reports.figures.counts import OperationFigures
from reports.figures.latency import Percentiles
from reports.pages.phrases import NONE, moment, money, number, per_second, seconds, share
from reports.summary import Summary

Row = Sequence[str]
FunnelRow = dict[str, str | float]

_NO_LATENCY: Final = [NONE] * 3


def generator_line(summary: Summary) -> str:
    """Return the generator's health in one line."""
    offered = sum(figures.offered for figures in summary.generator)
    started = sum(figures.started for figures in summary.generator)
    missed = sum(figures.missed for figures in summary.generator)
    late = [f.lateness_p99_s for f in summary.generator if f.lateness_p99_s is not None]
    worst = f"{max(late) * 1000:.1f} ms" if late else "unknown"
    return (
        f"offered {offered:,}, started {started:,}, missed {missed:,}; "
        f"lateness p99 {worst} in the worst phase"
    )


def sale_line(summary: Summary) -> str:
    """Return what the shop told its clients, and what it kept of it, in one line."""
    sale = summary.sale
    told = (
        f"clients were told of {sale.confirmed_orders:,} orders and {sale.confirmed_payments:,} "
        f"payments ({money(sale.revenue_minor)})"
    )
    if sale.ledger_orders is None:
        return f"{told}; the ledger was not read"
    return (
        f"{told}; the ledger holds {sale.ledger_orders:,} orders, {sale.ledger_paid:,} of them paid"
    )


def budgets(run: Run, verdicts: Sequence[Verdict]) -> list[dict[str, str]]:
    """Return each budget with its limit, what was measured, and what was left."""
    judged = {verdict.name: verdict for verdict in verdicts if verdict.kind == "budget"}
    rows = []
    for budget in run.plan.parsed_budgets:
        verdict = judged[budget.text]
        measured, margin = verdict.counts.get("measured"), verdict.counts.get("margin")
        rows.append(
            {
                "ruling": verdict.ruling,
                "budget": budget.text,
                "limit": f"{budget.sign} {quantity(budget, budget.limit)}",
                "measured": NONE if measured is None else quantity(budget, measured),
                "margin": NONE if margin is None else f"{margin:+.0%}",
                "evidence": verdict.evidence,
            }
        )
    return rows


def figures(summary: Summary) -> list[tuple[str, list[Row]]]:
    """Return the operations' rows by bucket, the whole run first."""
    buckets = dict.fromkeys([WHOLE_RUN, OUTSIDE_FAULTS, *(f.bucket for f in summary.figures)])
    rows = {
        bucket: [_operation(f) for f in summary.figures if f.bucket == bucket] for bucket in buckets
    }
    return [(bucket, found) for bucket, found in rows.items() if found]


def generator(summary: Summary) -> list[Row]:
    """Return the generator's own figures by phase."""
    return [
        [
            f.phase,
            number(f.planned),
            number(f.offered),
            number(f.started),
            number(f.missed),
            seconds(f.lateness_p99_s),
            f.reason or "healthy",
        ]
        for f in summary.generator
    ]


def faults(summary: Summary) -> list[Row]:
    """Return each fault with its moments and how the shop came back."""
    return [
        [
            f.name,
            moment(f.begin_s),
            moment(f.lifted_s),
            f"not within {moment(f.observed_s)}" if f.lag_s is None else seconds(f.lag_s),
            seconds(f.limit_s),
            ", ".join(moment(at_s) for at_s in f.relapses_s) or "none",
            seconds(f.noticed_s),
            seconds(f.acted_s),
        ]
        for f in summary.recovery
    ]


def remarks(run: Run) -> list[Row]:
    """Return what was noted and done during the run: when, by whom, and what."""
    words = {"note": "noted", "act": "did"}
    return [
        (moment(r.at_s), f"{r.who or 'the harness'} {words[r.kind]}: {r.text}")
        for r in run.timeline.remarks
    ]


def splits(summary: Summary) -> list[tuple[str, list[Row]]]:
    """Return how long each part of each failover took."""
    return [
        (f.name, [[part, seconds(length_s)] for part, length_s in f.split_s.items()])
        for f in summary.recovery
        if f.split_s
    ]


def funnel(summary: Summary) -> list[FunnelRow]:
    """Return each stage with the share of all who reached it, and why others were lost there."""
    stages = summary.funnel.stages if summary.funnel else ()
    arrived = stages[0].sessions if stages else 0
    return [
        {
            "stage": figures.stage,
            "sessions": number(figures.sessions),
            "percent": 100 * figures.sessions / arrived if arrived else 0.0,
            "lost": number(sum(figures.lost.values())),
            "reasons": "; ".join(f"{n:,} {LOSSES[why]}" for why, n in figures.lost.items()),
        }
        for figures in stages
    ]


def groups(summary: Summary) -> list[Row]:
    """Return how far those of each kind and channel came."""
    return [
        [
            group.group,
            number(group.sessions),
            number(group.tried),
            number(group.reserved),
            number(group.paid),
            share(group.paid / group.tried if group.tried else None),
        ]
        for group in (summary.funnel.groups if summary.funnel else ())
    ]


def losses(summary: Summary) -> list[Row]:
    """Return what each database fault cost for good."""
    return [
        [
            loss.fault,
            number(loss.orders),
            money(loss.money_minor),
            seconds(loss.rpo_s),
            moment(loss.earliest_lost_s),
            moment(loss.newest_surviving_s),
        ]
        for loss in summary.rpo
    ]


def _operation(figures: OperationFigures) -> Row:
    counts = figures.counts
    return [
        figures.op,
        number(counts.due),
        number(counts.ok),
        number(counts.refused),
        number(counts.fail),
        number(counts.info),
        share(figures.error_share),
        share(counts.served / counts.due if counts.due else None),
        per_second(figures.goodput_per_s),
        *_latency(figures.intended),
        *_latency(figures.service),
    ]


def _latency(percentiles: Percentiles | None) -> Row:
    if percentiles is None:
        return _NO_LATENCY
    return [seconds(percentiles.p50_s), seconds(percentiles.p95_s), seconds(percentiles.p99_s)]
