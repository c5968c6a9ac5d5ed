"""The capacity report: the figures of each step, the range they support, and the curve."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from doorbuster.errors import PlanError
from doorbuster.plan.stepping import STEADY, STEADY_S
from doorbuster.plan.stored import stored_plan
from doorbuster.rundir import RunDirectory, write_json, write_whole
from doorbuster.search import Capacity, Ruling
from doorbuster.verdicts import Verdict, overall
from reports.evidence import read_run
from reports.figures.counts import ALL
from reports.figures.latency import Percentiles
from reports.judging import judged
from reports.pages.capacity import capacity_html

SCHEMA: Final = 1


class StepFigures(msgspec.Struct, frozen=True):
    """What one step of the search showed, in its steady phase.

    Args:
        rate_per_s: Sessions a second that the step asked for.
        offered_per_s: Sessions a second that came due, and `started_per_s` that began.
        goodput_per_s: Operations a second that ended ok within their limit.
        reserve_p99_s: p99 of the intended latency of reserve; None without a sample.
        reasons: What the ruling rests on, worst first.
    """

    rate_per_s: float
    ruling: Ruling
    offered_per_s: float
    started_per_s: float
    goodput_per_s: float | None
    orders_per_s: float
    errors_share: float | None
    reserve_p99_s: float | None
    reserve_service_p99_s: float | None
    lateness_p99_s: float | None
    reasons: tuple[str, ...]


def judge_step(directory: RunDirectory, rate_per_s: float) -> StepFigures:
    """Return the figures of one step and whether it kept its budgets."""
    with read_run(directory) as run:
        answer = judged(run)
    asked = [verdict for verdict in answer.verdicts if verdict.kind == "budget"]
    steady = {f.op: f for f in answer.summary.figures if f.bucket == STEADY}
    generator = next(g for g in answer.summary.generator if g.phase == STEADY)
    reserve, every = steady.get("reserve"), steady.get(ALL)
    ruling: Ruling = overall(asked).name.lower()  # type: ignore[assignment]
    return StepFigures(
        rate_per_s=rate_per_s,
        ruling=ruling,
        offered_per_s=generator.offered / STEADY_S,
        started_per_s=generator.started / STEADY_S,
        goodput_per_s=every.goodput_per_s if every else None,
        orders_per_s=reserve.counts.ok / STEADY_S if reserve else 0.0,
        errors_share=every.error_share if every else None,
        reserve_p99_s=_p99_s(reserve.intended if reserve else None),
        reserve_service_p99_s=_p99_s(reserve.service if reserve else None),
        lateness_p99_s=generator.lateness_p99_s,
        reasons=tuple(_reason(v) for v in asked if v.ruling == overall(asked).name.lower()),
    )


class Answer(msgspec.Struct, frozen=True):
    """What `capacity.json` holds."""

    capacity: Capacity
    steps: tuple[StepFigures, ...]
    sentence: str
    schema: int = SCHEMA


def read_capacity(directory: RunDirectory) -> Answer | None:
    """Return what a finished search found, None if the directory is a rehearsal's.

    Raises:
        PlanError: It is that of a search that did not end.
    """
    path = directory.path / "capacity.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Answer)
    if (steps := directory.path / "steps").is_dir():
        raise PlanError(
            f"{directory.path} is a capacity search that did not end: expected a rehearsal, or one "
            f"of the search's steps, in {steps}"
        )
    return None


def write_capacity(directory: RunDirectory, steps: Sequence[StepFigures], found: Capacity) -> Path:
    """Write `capacity.json` and the page; return the page's path."""
    write_json(directory.path / "capacity.json", Answer(found, tuple(steps), sentence(found)))
    page = directory.path / "report.html"
    plan = stored_plan(directory)
    plan.pop("plan")
    facts: dict[str, Any] = {**plan, **msgspec.json.decode(directory.environment.read_bytes())}
    write_whole(page, capacity_html(directory.run_id, steps, sentence(found), facts))
    return page


def sentence(found: Capacity) -> str:
    """Return the answer in words: a range, one end of it, or that nobody knows."""
    passed, failed, rate = found.passed, found.failed, found.undecided
    full = f"; {rate:g}/s gave no answer, and its step says why" if rate else ""
    if passed is not None and failed is not None:
        return f"between {passed:g} and {failed:g} sessions a second{full}"
    if passed is not None:
        return f"at least {passed:g} sessions a second: no rate that was tried failed{full}"
    if failed is not None:
        return f"below {failed:g} sessions a second: no rate that was tried kept the budgets{full}"
    return f"unknown: no rate gave an answer{full}"


def exit_code(found: Capacity) -> int:
    """Return 0 when a rate kept the budgets, 1 when none did, 3 when nobody knows."""
    if found.passed is not None:
        return 0
    return 3 if found.failed is None else 1


def _reason(verdict: Verdict) -> str:
    return f"{verdict.name}: {verdict.evidence}"


def _p99_s(spread: Percentiles | None) -> float | None:
    return spread.p99_s if spread else None
