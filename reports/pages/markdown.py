"""A summary in Markdown for a pull request: the worst first, and short."""

from collections.abc import Iterable, Sequence
from typing import Final

from doorbuster.verdicts import EXIT_CODES, Verdict, severity
from reports.figures.buckets import WHOLE_RUN
from reports.figures.loss import Loss
from reports.judging import Review
from reports.pages import tables
from reports.pages.phrases import (
    HEADLINES,
    NONE,
    facts,
    moment,
    money,
    per_second,
    seconds,
    share,
)

_REASONS_MAX: Final = 5


def summary_markdown(answer: Review) -> str:
    """Return the summary; its length does not grow with the run."""
    summary = answer.summary
    parts = [
        f"## {HEADLINES[answer.exit_code]}: `{summary.plan}` (seed {summary.seed})",
        f"Exit code {answer.exit_code}: {EXIT_CODES[answer.exit_code]}. Run `{summary.run_id}`.",
        _reasons(answer),
        _verdicts("Checks", [v for v in answer.verdicts if v.kind != "budget"]),
        _verdicts("Budgets", [v for v in answer.verdicts if v.kind == "budget"]),
        _impossible(answer),
        _funnel(answer),
        _figures(answer),
        _recovery(answer),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _reasons(answer: Review) -> str:
    shown = [f"- {_cell(reason.sentence)}" for reason in answer.reasons[:_REASONS_MAX]]
    rest = len(answer.reasons) - _REASONS_MAX
    return "\n".join([*shown, *([f"- and {rest} more"] if rest > 0 else [])])


def _verdicts(title: str, verdicts: Sequence[Verdict]) -> str:
    worst_first = sorted(verdicts, key=severity, reverse=True)
    rows = (
        (f"**{v.ruling}**" if v.ruling != "pass" else "pass", f"`{v.name}`", v.evidence + _first(v))
        for v in worst_first
    )
    return _table(f"### {title}", ("ruling", "what", "evidence"), rows) if verdicts else ""


def _first(verdict: Verdict) -> str:
    if verdict.ruling != "fail" or not verdict.witnesses:
        return ""
    return f" (first: {facts(verdict.witnesses[0])})"


def _impossible(answer: Review) -> str:
    rows = list(answer.impossible.items())
    return _table("### Not possible at this level", ("check", "it needs"), rows) if rows else ""


def _funnel(answer: Review) -> str:
    rows = [
        (str(row["stage"]), str(row["sessions"]), f"{row['percent']:.1f} %", str(row["reasons"]))
        for row in tables.funnel(answer.summary)
    ]
    header = ("stage", "sessions", "of all", "lost here")
    return _table("### How far shoppers came", header, rows) if rows else ""


def _figures(answer: Review) -> str:
    rows = [
        (
            f.op,
            f"{f.counts.due:,}",
            share(f.error_share),
            per_second(f.goodput_per_s),
            seconds(f.intended.p50_s if f.intended else None),
            seconds(f.intended.p99_s if f.intended else None),
        )
        for f in answer.summary.figures
        if f.bucket == WHOLE_RUN
    ]
    header = ("operation", "due", "errors", "goodput", "p50", "p99")
    return _table("### Whole run, intended latency", header, rows) if rows else ""


def _recovery(answer: Review) -> str:
    loss = {lost.fault: lost for lost in answer.summary.rpo}
    rows = [
        (
            f.name,
            moment(f.begin_s),
            moment(f.lifted_s),
            seconds(f.lag_s) if f.lag_s is not None else f"not within {moment(f.observed_s)}",
            seconds(f.limit_s),
            _lost(loss.get(f.name)),
        )
        for f in answer.summary.recovery
    ]
    header = ("fault", "begun", "lifted", "recovery lag", "objective", "lost for good")
    return _table("### Faults", header, rows) if rows else ""


def _lost(loss: Loss | None) -> str:
    if loss is None:
        return NONE
    return f"{loss.orders:,} orders, {money(loss.money_minor)}, {seconds(loss.rpo_s)}"


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    body = "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
    return f"{title}\n\n{body}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
