"""What a run comes to: every verdict, the worst of them, and the exit code with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from doorbuster.verdicts import Ruling, Verdict, overall, worst_exit_code
from reports.checks import CHECKS
from reports.evidence import Run
from reports.exits import Reason, reasons
from reports.figures.budgets import Measured, budget_verdicts
from reports.levels import impossible
from reports.summary import Summary, summarise


@dataclass(frozen=True)
class Review:
    """What a run comes to; `reasons` says why the exit code is not 0, the run itself first.

    `impossible` has the checks that the shop offers too little for, each with what it lacks.
    """

    exit_code: int
    verdicts: tuple[Verdict, ...]
    overall: Ruling
    summary: Summary
    reasons: tuple[Reason, ...]
    impossible: Mapping[str, str] = field(default_factory=dict)

    @property
    def accidents(self) -> tuple[str, ...]:
        """The reasons that lie in how the run went: no verdict tells them."""
        told = {f"{verdict.name}: {verdict.evidence}" for verdict in self.verdicts}
        return tuple(reason.sentence for reason in self.reasons if reason.sentence not in told)


def judged(run: Run) -> Review:
    """Ask every check and every budget of the plan."""
    summary = summarise(run)
    measured = Measured(summary.recovery, summary.generator)
    asked = (*(check(run) for check in CHECKS), *budget_verdicts(run, measured))
    beyond = impossible(run, asked)
    verdicts = tuple(verdict for verdict in asked if verdict.name not in beyond)
    why = tuple(reasons(run.timeline, verdicts))
    codes = [reason.exit_code for reason in why] or [0]
    return Review(worst_exit_code(codes), verdicts, overall(verdicts), summary, why, beyond)
