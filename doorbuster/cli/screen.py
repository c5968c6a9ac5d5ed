"""What a rehearsal shows while it goes on, and the summary at its end."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from doorbuster.clock import Clock
from doorbuster.plan import Plan
from doorbuster.rundir import RunDirectory
from doorbuster.search import Capacity
from doorbuster.verdicts import EXIT_CODES, Verdict, severity
from doorbuster.watch import SETTLED_S, LiveSecond, Watch
from reports.capacity import sentence
from reports.pages.phrases import facts
from reports.review import Review

PLAIN_EVERY_S: Final = 5
BAR_WIDTH: Final = 24
WITNESSES_SHOWN: Final = 3
STYLES: Final = {"pass": "green", "unknown": "yellow", "fail": "red"}


@dataclass
class Screen:
    """The live timeline: one line for each second on a terminal, one in five elsewhere."""

    plan: Plan
    watch: Watch
    console: Console = field(default_factory=Console)
    quiet: bool = False
    _next: int = 0
    _peak: int = 1

    def say(self, text: str) -> None:
        """Show one line about the run itself."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def tick(self, clock: Clock) -> None:
        """Show the seconds that are settled by now and were not shown yet."""
        while self._next <= clock.now_s() - SETTLED_S and self._next < self.plan.length_s:
            shown = self.console.is_terminal or self._next % PLAIN_EVERY_S == 0
            if shown and not self.quiet:
                self._line(self.watch.second(self._next))
            self._next += 1

    def _line(self, live: LiveSecond) -> None:
        plan, second = self.plan, live.second
        phase = max(
            (start_s, name) for name, start_s in plan.phase_starts_s.items() if start_s <= second
        )[1]
        total = live.ok + live.refused + live.fail + live.info
        self._peak = max(self._peak, total)
        line = Text(f"{second:4d}s {phase:<10.10} {plan.length_s - second:4.0f}s left  ")
        line.append(f"arrivals {live.offered:3d}/{live.started:<3d} ")
        line.append(f"ok {live.ok:4d} ", style="green")
        line.append(f"refused {live.refused:4d} ", style="yellow")
        line.append(
            f"errors {live.fail + live.info:3d} ", style="red" if live.fail + live.info else ""
        )
        line.append_text(self._bar(live))
        faults = self._active_faults(second)
        if faults:
            line.append(f"  << {', '.join(faults)}", style="magenta")
        self.console.print(line, highlight=False, soft_wrap=True)

    def _bar(self, live: LiveSecond) -> Text:
        """Return the second's outcomes as a bar, as long as its share of the busiest one."""
        bar = Text()
        parts = ((live.ok, "green", "#"), (live.refused, "yellow", "="))
        for count, style, mark in (*parts, (live.fail + live.info, "red", "!")):
            bar.append(mark * round(BAR_WIDTH * count / self._peak), style=style)
        bar.pad_right(max(0, BAR_WIDTH - len(bar)))
        return bar

    def _active_faults(self, second: int) -> list[str]:
        spans = ((fault.name, *self.plan.fault_span_s(fault)) for fault in self.plan.faults)
        return [
            name for name, begins_s, ends_s in spans if begins_s < second + 1 and ends_s > second
        ]


def print_review(review: Review, run: RunDirectory, *, report: bool = True) -> None:
    """Show the verdicts, worst first, and where the report is."""
    console = Console()
    table = Table("", "question", "evidence", box=None, pad_edge=False)
    for verdict in sorted(review.verdicts, key=severity, reverse=True):
        style = STYLES[verdict.ruling]
        evidence = "\n".join((verdict.evidence, *first_witnesses(verdict)))
        table.add_row(Text(verdict.ruling, style=style), verdict.name, Text(evidence))
    for lacking in dict.fromkeys(review.impossible.values()):
        names = [name for name, what in review.impossible.items() if what == lacking]
        said = f"not possible at this level; it needs {lacking}"
        table.add_row(Text("-"), "\n".join(names), Text(said))
    console.print(table)
    meaning = EXIT_CODES[review.exit_code]
    style = (
        "green" if review.exit_code == 0 else "red" if review.exit_code in (1, 4, 6) else "yellow"
    )
    console.print(Text(f"exit {review.exit_code}: {meaning}", style=style))
    for accident in review.accidents:
        console.print(Text(f"- {accident}"))
    if report:
        console.print(f"report: {run.path / 'report.html'}", soft_wrap=True, highlight=False)
    sys.stdout.flush()


def print_capacity(found: Capacity, page: Path | None) -> None:
    """Show the answer of a search, and where its page is."""
    console = Console()
    console.print(f"capacity: {sentence(found)}", soft_wrap=True, highlight=False)
    if page is not None:
        console.print(f"report: {page}", soft_wrap=True, highlight=False)
    sys.stdout.flush()


def first_witnesses(verdict: Verdict) -> list[str]:
    """Return a line for each of the first witnesses of what failed."""
    if verdict.ruling != "fail":
        return []
    return [f"- {facts(witness)}" for witness in verdict.witnesses[:WITNESSES_SHOWN]]
