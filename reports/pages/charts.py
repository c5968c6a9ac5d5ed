"""The timeline charts: the questions that a reader asks of a run, second by second.

Which lines there are and what they mean; how they are drawn is in `drawing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.evidence import Run
from reports.figures.recovery import FaultFigures
from reports.pages import series
from reports.pages.drawing import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SKY,
    VERMILION,
    YELLOW,
    Lines,
    drawn,
    frame_of,
)


@dataclass(frozen=True)
class Chart:
    """One chart with the sentence that says how to read it."""

    title: str
    note: str
    spec: dict[str, Any]


def charts(run: Run, faults: Sequence[FaultFigures]) -> list[Chart]:
    """Return the charts that there is evidence for, in the order of a reader's questions."""
    frame = frame_of(run.plan, faults)
    found = [
        ("Shoppers arriving each second", _ARRIVALS_NOTE, _arrivals(run)),
        ("What became of their operations", _OUTCOMES_NOTE, _outcomes(run)),
        *((f"Latency of {op}", note, _latency(run, op)) for op, note in _LATENCIES),
        ("Stock left", _STOCK_NOTE, _stock(run)),
        ("Replication lag", "How far the standby was behind the primary.", _lag(run)),
        ("CPU by component", "Share of one core; 100 % is one core busy.", _cpu(run)),
    ]
    return [Chart(title, note, drawn(lines, frame)) for title, note, lines in found if lines.rows]


_ARRIVALS_NOTE: Final = (
    "Offered is what the plan asked for. Where started falls below it, the generator was full."
)
_OUTCOMES_NOTE: Final = (
    "By the second in which the operation was due. Refused is a correct no, such as sold out; "
    "errors are failures and outcomes that nobody can know."
)
_LATENCY_NOTE: Final = (
    "From the moment the shopper wanted it, waiting and retries included; logarithmic scale."
)
_LATENCIES: Final = (("reserve", _LATENCY_NOTE), ("pay", ""), ("view", ""))
_STOCK_NOTE: Final = "The share that is still available of the items that sold the most."


def _arrivals(run: Run) -> Lines:
    colours = {"offered": GREY, "started": BLUE, "missed": VERMILION}
    return Lines(series.arrivals(run), colours, "shoppers/s", height=110)


def _outcomes(run: Run) -> Lines:
    colours = {"ok": GREEN, "refused": SKY, "errors": VERMILION}
    return Lines(series.outcomes(run), colours, "operations/s", stacked=True)


def _latency(run: Run, op: str) -> Lines:
    colours = {"p50": SKY, "p95": ORANGE, "p99": PINK}
    return Lines(series.latency(run, op), colours, "latency", height=120, log=True)


def _stock(run: Run) -> Lines:
    rows = series.stock(run)
    names = list(dict.fromkeys(row["what"] for row in rows))
    palette = (VERMILION, BLUE, GREEN, ORANGE, PINK)
    return Lines(rows, dict(zip(names, palette, strict=False)), "percent", height=130)


def _lag(run: Run) -> Lines:
    return Lines(series.replication(run), {"lag": BLUE}, "seconds", height=90)


def _cpu(run: Run) -> Lines:
    rows = series.processes(run)
    names = list(dict.fromkeys(row["what"] for row in rows))
    palette = (BLUE, GREEN, ORANGE, PINK, VERMILION, SKY, GREY, YELLOW)
    return Lines(rows, dict(zip(names, palette, strict=False)), "share of a core", height=130)
