"""Budgets, recovery, loss and the generator's health on literal seconds."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from doorbuster.journal import JournalEvent
from doorbuster.operations import Attempt, OperationEvent
from doorbuster.series import GeneratorSecond, OperationSecond
from doorbuster.verdicts import Verdict
from reports.checks import generator_healthy
from reports.evidence import Run, run_of
from reports.figures.budgets import Measured, budget_verdicts
from reports.figures.counts import counts
from reports.figures.generator import generator_figures
from reports.figures.loss import losses
from reports.figures.recovery import fault_figures
from tests.unit.reports_fixture import PLAN, books_read, clock, event
from tests.unit.test_reports_checks import bought, placed, together

LENGTH_S = 50
PER_SECOND = 20
PAYMENTS = "payments latency"
FAILOVER = "postgres failover"
END = event("run", "end", "fixture", 53.0)

Bad = Mapping[range, str]


def plan_with(*budgets: str) -> dict[str, Any]:
    arrivals = [{**phase, "rate": "20/s"} for phase in PLAN["traffic"]["arrivals"]]
    return {**PLAN, "budgets": list(budgets), "traffic": {"arrivals": arrivals, "timeout": "2s"}}


def reserves(bad: Bad | None = None) -> list[OperationSecond]:
    """Return twenty reserves a second, all good but in the stretches of `bad`."""
    rows = []
    for second in range(LENGTH_S):
        column = next((c for stretch, c in (bad or {}).items() if second in stretch), None)
        well = {"ok": PER_SECOND, "served": PER_SECOND, "good": PER_SECOND}
        counted = {column: PER_SECOND} if column else well
        if column == "refused":
            counted["served"] = PER_SECOND
        rows.append(OperationSecond(second, "reserve", due=PER_SECOND, **counted))
    return rows


def generated(*, missed_at: int | None = None, until_s: int = LENGTH_S) -> list[GeneratorSecond]:
    return [
        GeneratorSecond(s, PER_SECOND, PER_SECOND - (s == missed_at), int(s == missed_at))
        for s in range(until_s)
    ]


def fault(name: str, begin_s: float, lifted_s: float | None, **detail: Any) -> list[JournalEvent]:
    begun = event("fault", "begin", name, begin_s, **detail)
    return [begun] if lifted_s is None else [begun, event("fault", "lifted", name, lifted_s)]


@contextmanager
def measured(
    plan: Mapping[str, Any],
    journal: Sequence[JournalEvent],
    *,
    latency_us: Mapping[range, int] | None = None,
    late_us: int = 500,
    **tables: Sequence[Any],
) -> Iterator[Run]:
    """Yield a run with healthy arrivals and, in stretches, one latency for all reserves."""
    rows = {"generator_seconds": generated(), **tables}
    latency = [("lateness", second, late_us, PER_SECOND) for second in range(LENGTH_S)]
    for stretch, value_us in (latency_us or {range(LENGTH_S): 40_000}).items():
        latency += [("reserve.intended", second, value_us, PER_SECOND) for second in stretch]
    with run_of(plan, journal, **rows) as run:
        run.connection.executemany("INSERT INTO latency VALUES (?, ?, ?, ?, '0')", latency)
        yield run


def budget_verdict(
    budget: str, journal: Sequence[JournalEvent] = (clock(), END), **evidence: Any
) -> Verdict:
    tables = {"operation_seconds": reserves(), **evidence}
    with measured(plan_with(budget), journal, **tables) as run:
        verdict, *_ = budget_verdicts(run, Measured(fault_figures(run), generator_figures(run)))
        return verdict


SLOW_RUSH = {range(14): 40_000, range(14, 20): 2_000_000, range(20, 50): 40_000}
LATENCY_FAULT = [clock(), *fault(PAYMENTS, 14.0, 20.0), END]

BUDGETS: dict[str, tuple[str, dict[str, Any], str]] = {
    "kept": ("p99(reserve) <= 800ms", {}, "pass"),
    "broken": ("p99(reserve) <= 800ms", {"latency_us": SLOW_RUSH}, "fail"),
    "broken only in the fault": (
        "p99(reserve) <= 800ms outside faults",
        {"latency_us": SLOW_RUSH, "journal": LATENCY_FAULT},
        "pass",
    ),
    "broken outside the fault": (
        "p99(reserve) <= 800ms outside faults",
        {"latency_us": SLOW_RUSH, "journal": [clock(), *fault(PAYMENTS, 16.0, 20.0), END]},
        "fail",
    ),
    "broken in another phase": (
        "p99(reserve) <= 800ms during plateau",
        {"latency_us": SLOW_RUSH},
        "pass",
    ),
    "no sample of the operation": ("p99(pay) <= 800ms", {}, "unknown"),
    "no second outside a fault that was never lifted": (
        "p99(reserve) <= 800ms during plateau outside faults",
        {"journal": [clock(), *fault(PAYMENTS, 16.0, None), END]},
        "unknown",
    ),
    "missed arrivals in the window": (
        "p99(reserve) <= 800ms during rush",
        {"generator_seconds": generated(missed_at=12)},
        "unknown",
    ),
    "missed arrivals elsewhere": (
        "p99(reserve) <= 800ms during plateau",
        {"generator_seconds": generated(missed_at=12)},
        "pass",
    ),
    "late generator": ("p99(reserve) <= 800ms", {"late_us": 51_000}, "unknown"),
    "late generator hides no pass of a broken budget": (
        "p99(reserve) <= 800ms",
        {"late_us": 51_000, "latency_us": SLOW_RUSH},
        "unknown",
    ),
    "generator died in the window": (
        "errors <= 1% during plateau",
        {"generator_seconds": generated(until_s=40)},
        "unknown",
    ),
    "errors within": ("errors <= 1%", {}, "pass"),
    "errors beyond": (
        "errors <= 1%",
        {"operation_seconds": reserves({range(30, 32): "info"})},
        "fail",
    ),
    "refusals are no errors": (
        "errors <= 1%",
        {"operation_seconds": reserves({range(30, 50): "refused"})},
        "pass",
    ),
    "errors of an operation that never happened": ("errors(pay) <= 1%", {}, "unknown"),
    "goodput reached": ("goodput >= 20/s during rush", {}, "pass"),
    "goodput missed": (
        "goodput >= 20/s during rush",
        {"operation_seconds": reserves({range(12, 13): "refused"})},
        "fail",
    ),
    "nothing at all": ("errors <= 1%", {"operation_seconds": []}, "unknown"),
}


@pytest.mark.parametrize(("budget", "evidence", "ruling"), BUDGETS.values(), ids=BUDGETS)
def test_budget(budget: str, evidence: dict[str, Any], ruling: str) -> None:
    verdict = budget_verdict(budget, **evidence)
    assert verdict.ruling == ruling, verdict.evidence


STOPPED = event("stop", "point", "by hand", 24.0)
RECOVERY = f'recovery("{PAYMENTS}") <= 5s'


RECOVERIES: dict[str, tuple[list[JournalEvent], Bad, str, float | None]] = {
    "never noticed": (LATENCY_FAULT, {}, "pass", 0.0),
    "back at once": (LATENCY_FAULT, {range(14, 20): "info"}, "pass", 0.0),
    "back after three seconds": (LATENCY_FAULT, {range(14, 23): "info"}, "pass", 3.0),
    "too late": (LATENCY_FAULT, {range(14, 28): "info"}, "fail", 8.0),
    "a breath is no recovery": (
        LATENCY_FAULT,
        {range(14, 21): "info", range(23, 24): "info"},
        "pass",
        4.0,
    ),
    "never back": (LATENCY_FAULT, {range(14, 50): "info"}, "fail", None),
    "refusing is steady": (
        LATENCY_FAULT,
        {range(14, 20): "info", range(20, 50): "refused"},
        "pass",
        0.0,
    ),
    "stopped by hand, but watched long enough": (
        [clock(), *fault(PAYMENTS, 14.0, 20.0), STOPPED, END],
        {range(14, 50): "info"},
        "fail",
        None,
    ),
    "never happened": ([clock(), END], {}, "unknown", None),
    "never lifted": ([clock(), *fault(PAYMENTS, 14.0, None), END], {}, "unknown", None),
}


@pytest.mark.parametrize(("journal", "bad", "ruling", "lag_s"), RECOVERIES.values(), ids=RECOVERIES)
def test_recovery(journal: list[JournalEvent], bad: Bad, ruling: str, lag_s: float | None) -> None:
    verdict = budget_verdict(RECOVERY, journal, operation_seconds=reserves(bad))
    assert verdict.ruling == ruling, verdict.evidence
    assert verdict.counts["measured"] == lag_s


def test_a_run_stopped_soon_after_the_lift_does_not_know_its_recovery() -> None:
    journal = [clock(), *fault(PAYMENTS, 14.0, 20.0), STOPPED, END]
    rows = [row for row in reserves({range(14, 50): "info"}) if row.second < 24]
    verdict = budget_verdict(
        RECOVERY,
        journal,
        operation_seconds=rows,
        generator_seconds=generated(),
    )
    assert verdict.ruling == "unknown"
    assert "cut short 4.0 s after" in verdict.evidence


def test_without_any_operation_after_the_lift_nobody_knows_whether_it_recovered() -> None:
    rows = [row for row in reserves() if row.second < 18]
    verdict = budget_verdict(RECOVERY, LATENCY_FAULT, operation_seconds=rows)
    assert verdict.ruling == "unknown"
    assert verdict.evidence == "no operation was recorded after the fault was lifted"


def test_not_recovered_says_how_long_it_was_watched() -> None:
    bad = {range(14, 50): "info"}
    verdict = budget_verdict(RECOVERY, LATENCY_FAULT, operation_seconds=reserves(bad))
    assert verdict.evidence == "not recovered within 30.0 s, limit 5s"


def test_a_relapse_is_named_unless_another_fault_explains_it() -> None:
    both = [clock(), *fault(PAYMENTS, 12.0, 14.0), *fault(FAILOVER, 30.0, 33.0), END]
    bad = {range(20, 23): "info", range(30, 34): "info"}
    with measured(plan_with(), both, operation_seconds=reserves(bad)) as run:
        first, second = fault_figures(run)
    assert (first.lag_s, first.relapses_s) == (0.0, (20.0,))
    assert (second.lag_s, second.relapses_s) == (1.0, ())


def test_a_relapse_that_lasts_to_the_end_is_no_recovery() -> None:
    verdict = budget_verdict(
        RECOVERY,
        LATENCY_FAULT,
        operation_seconds=reserves({range(14, 20): "info", range(35, 50): "info"}),
    )
    assert verdict.ruling == "fail"
    assert verdict.evidence == "back after 0s, relapsed at 35 s and not back since"


BOTH = [clock(), *fault(PAYMENTS, 12.0, 20.0), *fault(FAILOVER, 23.0, 29.0), END]


@pytest.mark.parametrize(
    ("bad", "ruling", "sentence"),
    [
        ({range(12, 21): "info", range(23, 30): "info"}, "unknown", "was on 3 s after the lift"),
        ({range(12, 22): "info"}, "pass", "measured 2s"),
        ({range(12, 20): "info", range(23, 50): "info"}, "unknown", "was on 3 s after the lift"),
    ],
    ids=["the next fault's outage", "back before it", "the next one's for good"],
)
def test_a_fault_is_not_blamed_for_the_next_one(bad: Bad, ruling: str, sentence: str) -> None:
    verdict = budget_verdict(RECOVERY, BOTH, operation_seconds=reserves(bad))
    assert verdict.ruling == ruling
    assert sentence in verdict.evidence


def test_a_fault_that_began_only_after_the_limit_excuses_nothing() -> None:
    journal = [clock(), *fault(PAYMENTS, 12.0, 20.0), *fault(FAILOVER, 30.0, 35.0), END]
    bad = {range(12, 40): "info"}
    verdict = budget_verdict(RECOVERY, journal, operation_seconds=reserves(bad))
    assert verdict.ruling == "fail"


def test_a_shop_that_never_faltered_has_not_failed_for_want_of_time() -> None:
    journal = [clock(), *fault(PAYMENTS, 40.0, 46.5), END]
    verdict = budget_verdict(RECOVERY, journal)
    assert verdict.ruling == "unknown"
    assert (
        verdict.evidence
        == "nothing unsteady was seen, and only 3.5 s of the 5 s that count were left"
    )


@pytest.mark.parametrize(
    ("bad", "errors", "failed"),
    [
        ({range(14, 50): "info"}, "pass", "not recovered within 30.0 s"),
        ({range(14, 20): "info", range(35, 50): "info"}, "fail", "back after 0s, relapsed at 35 s"),
        ({range(14, 40): "info"}, "pass", None),
    ],
    ids=["never back", "lost again", "back late, which nobody limited"],
)
def test_a_shop_that_is_not_back_has_failed_whether_or_not_that_was_asked(
    bad: Bad, errors: str, failed: str | None
) -> None:
    """What comes before the shop is back is left out of budgets `outside faults`."""
    budget = "errors <= 1% outside faults"
    with measured(plan_with(budget), LATENCY_FAULT, operation_seconds=reserves(bad)) as run:
        given = Measured(fault_figures(run), generator_figures(run))
        asked, *unasked = budget_verdicts(run, given)
    assert asked.ruling == errors
    assert [(v.name, v.ruling) for v in unasked] == (
        [(f'recovered("{PAYMENTS}")', "fail")] if failed else []
    )
    assert all(str(failed) in verdict.evidence for verdict in unasked)


def test_an_invocation_without_completion_counts_as_unknown_where_it_was_due() -> None:
    lost = OperationEvent("invoke", "1-pay", "pay", at_s=12.1, due_s=11.9)
    with run_of(PLAN, [clock()], events=[lost]) as run:
        counted = counts(run, {"then": [11], "later": [12]})
    assert counted["then", "pay"].info == counted["then", "pay"].due == 1
    assert ("later", "pay") not in counted


HEALTH: dict[str, tuple[dict[str, Any], str, str]] = {
    "healthy": ({}, "pass", "1,000 arrivals offered, 1,000 started, 0 missed"),
    "missed": ({"generator_seconds": generated(missed_at=12)}, "unknown", "rush: 1 of 300"),
    "late": ({"late_us": 60_000}, "unknown", "baseline: lateness p99 60 ms, limit 50 ms"),
    "died": (
        {"generator_seconds": generated(until_s=40)},
        "unknown",
        "plateau: only 300 of 500 arrivals came due in it",
    ),
    "nothing": ({"generator_seconds": []}, "unknown", "offered no arrival"),
}


@pytest.mark.parametrize(("evidence", "ruling", "sentence"), HEALTH.values(), ids=HEALTH)
def test_generator_healthy(evidence: dict[str, Any], ruling: str, sentence: str) -> None:
    with measured(plan_with(), [clock(), END], **evidence) as run:
        verdict = generator_healthy(run)
    assert verdict.ruling == ruling
    assert sentence in verdict.evidence


def failover_journal(rows: int) -> list[JournalEvent]:
    steps = {"primary ended": 12.0, "detected": 15.0, "fenced": 15.1, "promoted": 16.0}
    return [
        clock(),
        *fault(FAILOVER, 11.9, 17.0, on="postgres", kind="failover"),
        *(event("step", "point", step, at_s, fault=FAILOVER) for step, at_s in steps.items()),
        *books_read(rows, 0),
        END,
    ]


def test_a_failover_that_lost_orders_says_how_many_how_much_and_how_far_back() -> None:
    # Purchase n is confirmed at 10.5 + n: 0 survived, 1 was confirmed just before the loss.
    tables = together(bought(0, pay=None), placed(0, "expired"), bought(1, pay=None))
    with run_of(PLAN, failover_journal(2), **tables) as run:
        (loss,) = losses(run)
    assert (loss.orders, loss.money_minor) == (1, 9900)
    assert loss.rpo_s == pytest.approx(11.9 - 11.5)
    assert (loss.earliest_lost_s, loss.newest_surviving_s) == (11.5, 10.5)


def test_an_order_lost_after_the_failover_is_not_blamed_on_it() -> None:
    tables = together(bought(0, pay=None), placed(0, "expired"), bought(5, pay=None))
    with run_of(PLAN, failover_journal(2), **tables) as run:
        (loss,) = losses(run)
    assert (loss.orders, loss.rpo_s) == (0, 0.0)


def test_what_a_primary_that_nobody_fenced_took_on_was_lost_with_it() -> None:
    split = {"at": "plateau+5s", "on": "postgres", "failover": {"by": "pause", "fence": False}}
    tables = together(bought(0, pay=None), placed(0, "expired"), bought(5, pay=None))
    with run_of({**PLAN, "faults": [split]}, failover_journal(2), **tables) as run:
        (loss,) = losses(run)
    assert (loss.orders, loss.money_minor) == (1, 9900)


def test_an_answer_that_was_long_on_its_way_is_about_what_was_there_before() -> None:
    """Purchase 1 was sent before the primary ended at 12.0, and heard of at 13."""
    tries = (Attempt("ok", 13.0, 11.4, order_id="O-1"),)
    told: dict[str, Any] = {"op": "reserve", "client_ref": "ref-1"}
    events = [
        OperationEvent("invoke", "1", at_s=11.4, **told),
        OperationEvent("ok", "1", at_s=13.0, order_id="O-1", amount=9900, attempts=tries, **told),
    ]
    with run_of(PLAN, failover_journal(0), events=events) as run:
        (loss,) = losses(run)
    assert (loss.orders, loss.rpo_s) == (1, 0.0)


def test_an_unread_ledger_knows_no_loss() -> None:
    with run_of(PLAN, [clock(), END], **bought(1)) as run:
        assert losses(run) == []


def test_the_failover_is_split_into_its_parts() -> None:
    def reserve(n: int, sent_s: float, ended_s: float) -> list[OperationEvent]:
        tries = (Attempt("ok", ended_s, sent_s),)
        return [
            OperationEvent("invoke", f"r{n}", "reserve", at_s=sent_s),
            OperationEvent("ok", f"r{n}", "reserve", at_s=ended_s, attempts=tries),
        ]

    # The answer to the first was on its way when the primary died; the second needed the standby.
    events = [*reserve(1, 11.95, 12.05), *reserve(2, 12.5, 16.4)]
    with measured(
        plan_with(), failover_journal(0), operation_seconds=reserves(), events=events
    ) as run:
        (found,) = fault_figures(run)
    assert found.split_s == {
        "detection": 3.0,
        "fencing": 0.1,
        "promotion": 0.9,
        "first ok operation after the loss": 4.4,
        "steady after the loss": 5.0,
    }


def test_notes_and_acts_of_people_count_from_the_fault_they_follow() -> None:
    def by(who: str | None, kind: Any, at_s: float) -> JournalEvent:
        detail: dict[str, Any] = {} if who is None else {"who": who}
        return event(kind, "point", "something", at_s, **detail)

    people = [by("Ana", "note", 11.0), by(None, "note", 12.5), by("Ana", "note", 13.5)]
    journal = [
        clock(),
        *fault(PAYMENTS, 12.0, 14.0),
        *fault(FAILOVER, 30.0, 33.0),
        *people,
        by("Ben", "act", 31.25),
        END,
    ]
    with measured(plan_with(), journal, operation_seconds=reserves({})) as run:
        first, second = fault_figures(run)
    assert (first.noticed_s, first.acted_s) == (1.5, None)
    assert (second.noticed_s, second.acted_s) == (None, 1.25)
