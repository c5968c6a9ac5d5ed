"""What a run comes to as an exit code, and the sentences that say why."""

from collections.abc import Sequence
from dataclasses import dataclass

from doorbuster.verdicts import Verdict
from reports.reading.timeline import Timeline

CLEAN_UP = "clean-up"


@dataclass(frozen=True)
class Reason:
    """One reason for an exit code."""

    exit_code: int
    sentence: str


def reasons(timeline: Timeline, verdicts: Sequence[Verdict]) -> list[Reason]:
    """Return all reasons for an exit code other than 0, those of the run itself first."""
    return [*run_reasons(timeline), *_verdict_reasons(verdicts)]


def run_reasons(timeline: Timeline) -> list[Reason]:
    """Return the reasons that lie in how the run went and not in what the checks say."""
    found = [
        Reason(
            6 if event.name == CLEAN_UP else 4, _failure(event.name, event.detail.get("message"))
        )
        for event in timeline.failures
    ]
    if not timeline.ended:
        found.append(Reason(4, "the run has no end: the director died, or is still at work"))
    elif not timeline.clean and not timeline.failures:
        found.append(Reason(4, "nobody saw that nothing was left behind: the director died"))
    found += [Reason(5, _stop(name)) for name in timeline.stops]
    found += [Reason(3, message) for message in timeline.lost_workers]
    if timeline.gate is None:
        found.append(Reason(3, "the baseline gate was never reached"))
    elif not timeline.gate.passed:
        why = timeline.gate.reason or "the baseline was not steady"
        found.append(Reason(3, f"the baseline gate did not open: {why}"))
    return found


def _verdict_reasons(verdicts: Sequence[Verdict]) -> list[Reason]:
    failed = [Reason(1, f"{v.name}: {v.evidence}") for v in verdicts if v.ruling == "fail"]
    unknown = [Reason(3, f"{v.name}: {v.evidence}") for v in verdicts if v.ruling == "unknown"]
    if not verdicts:
        unknown.append(Reason(3, "nothing was checked"))
    return failed + unknown


def _failure(name: str, message: object) -> str:
    return f"{name} failed: {message}" if message else f"{name} failed"


def _stop(name: str) -> str:
    by_hand = name.startswith("by hand")
    return f"stopped {name}" if by_hand else f"stopped by its condition: {name}"
