"""Budgets and stop conditions: the expressions of a plan as values.

p99(reserve) <= 800ms during rush outside faults
errors <= 1%            errors(pay) <= 2% during plateau
goodput >= 20/s during rush
recovery("payments latency") <= 10s
errors > 60% for 10s    (a stop condition)
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ValidationInfo, WithJsonSchema

from doorbuster.operations import OPERATIONS
from doorbuster.quantities import duration_s, rate_per_s, share

Metric = Literal["percentile", "errors", "goodput", "recovery"]

_METRIC: Final = re.compile(
    r"""p(?P<quantile>\d{1,2}(?:\.\d+)?)\((?P<op>\w+)\)
      | (?P<plain>errors|goodput)(?:\((?P<plain_op>\w+)\))?
      | recovery\("(?P<fault>[^"]+)"\)""",
    re.VERBOSE,
)
_BUDGET: Final = re.compile(
    r"(?P<metric>\S+\(\"[^\"]+\"\)|\S+)\s+(?P<sign><=|>=|<|>)\s+(?P<limit>\S+)"
    r"(?:\s+during\s+(?P<during>[a-z][a-z0-9_-]*))?(?P<outside>\s+outside\s+faults)?"
)
_STOP: Final = re.compile(
    r"(?P<metric>\S+)\s+(?P<sign><=|>=|<|>)\s+(?P<limit>\S+)\s+for\s+(?P<window>\S+)"
)
_EXPECTED: Final = (
    "expected a budget such as `p99(reserve) <= 800ms during rush outside faults`, "
    '`errors <= 1%`, `goodput >= 20/s` or `recovery("payments latency") <= 10s`'
)


@dataclass(frozen=True)
class Measure:
    """What is measured: a metric, of one operation or fault where it has one."""

    metric: Metric
    quantile: float | None = None
    op: str | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Budget:
    """A measure and its limit, over a phase or the whole run.

    `limit` is in seconds for percentiles and recovery, a fraction for errors, per second for
    goodput.
    """

    text: str
    measure: Measure
    sign: Literal["<=", ">=", "<", ">"]
    limit: float
    during: str | None
    outside_faults: bool

    def allows(self, value: float) -> bool:
        """Tell whether `value` is within the limit."""
        match self.sign:
            case "<=":
                return value <= self.limit
            case ">=":
                return value >= self.limit
            case "<":
                return value < self.limit
            case ">":
                return value > self.limit


@dataclass(frozen=True)
class StopCondition:
    """Ends the run when the measure is beyond its limit in every second of the window."""

    text: str
    breach: Budget
    window_s: float


def parse_budget(text: str) -> Budget:
    """Return the budget that `text` means.

    Raises:
        ValueError: What was expected instead.
    """
    match = _BUDGET.fullmatch(text.strip())
    if not match:
        raise ValueError(_EXPECTED)
    measure = _measure(match["metric"])
    if measure.metric == "recovery" and (match["during"] or match["outside"]):
        raise ValueError("recovery(...) takes neither `during` nor `outside faults`")
    return Budget(
        text=text.strip(),
        measure=measure,
        sign=_sign(match["sign"]),
        limit=_limit(measure, match["limit"]),
        during=match["during"],
        outside_faults=bool(match["outside"]),
    )


def parse_stop(text: str) -> StopCondition:
    """Return the stop condition that `text` means; only `errors` and `goodput` can stop a run."""
    match = _STOP.fullmatch(text.strip())
    if not match:
        raise ValueError("expected a stop condition such as `errors > 60% for 10s`")
    measure = _measure(match["metric"])
    if measure.metric not in ("errors", "goodput"):
        raise ValueError("only errors and goodput can stop a run")
    window_s = duration_s(match["window"])
    if window_s < 1:
        raise ValueError("expected a window of at least 1s: a run is judged second by second")
    breach = Budget(
        text=text.strip(),
        measure=measure,
        sign=_sign(match["sign"]),
        limit=_limit(measure, match["limit"]),
        during=None,
        outside_faults=False,
    )
    return StopCondition(text.strip(), breach, window_s)


def _sign(text: str) -> Literal["<=", ">=", "<", ">"]:
    match text:
        case "<=" | ">=" | "<" | ">":
            return text
        case _:
            raise AssertionError(text)


def _measure(text: str) -> Measure:
    match = _METRIC.fullmatch(text)
    if not match:
        raise ValueError(_EXPECTED)
    op = match["op"] or match["plain_op"]
    if op and op not in OPERATIONS:
        raise ValueError(f"unknown operation {op!r}: expected one of {', '.join(OPERATIONS)}")
    if match["quantile"]:
        # In decimals: 99.9 / 100 as floats is a little above 0.999, which is another rank.
        return Measure("percentile", quantile=float(Decimal(match["quantile"]) / 100), op=op)
    if match["fault"]:
        return Measure("recovery", fault=match["fault"])
    return Measure("errors" if match["plain"] == "errors" else "goodput", op=op)


def _limit(measure: Measure, text: str) -> float:
    match measure.metric:
        case "percentile" | "recovery":
            return duration_s(text)
        case "errors":
            return share(text)
        case "goodput":
            return rate_per_s(text)


def _checked_budget(text: Any, info: ValidationInfo) -> Any:
    budget = parse_budget(text)
    context = info.context or {}
    phases, faults = context.get("phases"), context.get("faults")
    if budget.during and phases is not None and budget.during not in phases:
        raise ValueError(f"unknown phase {budget.during!r}: expected one of {', '.join(phases)}")
    if budget.measure.fault and faults is not None and budget.measure.fault not in faults:
        known = ", ".join(f'"{fault}"' for fault in faults) or "none, the plan has no faults"
        raise ValueError(f'unknown fault "{budget.measure.fault}": expected one of {known}')
    return text


def _checked_stop(text: Any) -> Any:
    parse_stop(text)
    return text


BudgetText = Annotated[
    str,
    AfterValidator(_checked_budget),
    WithJsonSchema({"type": "string", "description": _EXPECTED}),
]
"""A budget as written; with `phases` and `faults` in the validation context, of known ones."""

StopText = Annotated[str, AfterValidator(_checked_stop)]
"""A stop condition as written."""
