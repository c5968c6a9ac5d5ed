"""Traffic that is shared out, without any process: shares, clocks, options, losses."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.cli.traffic import (
    Elsewhere,
    elsewhere,
    job,
    require_reachable,
    resolved,
    told_in_words,
)
from doorbuster.errors import PlanError
from doorbuster.gate import baseline_gate
from doorbuster.journal import JournalEvent
from doorbuster.news import News
from doorbuster.plan.traffic import Traffic
from doorbuster.series import GeneratorSecond, OperationSecond
from reports.evidence import run_of
from reports.exits import run_reasons
from reports.figures.generator import generator_figures
from reports.reading.timeline import Timeline
from scenarios.distribution.clocks import RoundTrip, offset_of
from scenarios.order import TrafficOrder
from scenarios.traffic import share_of
from tests.fakes import plan_of

WORKERS = st.integers(1, 40)


@given(total=st.integers(0, 10_000), count=WORKERS)
def test_shares_make_up_the_whole_and_differ_by_at_most_one(total: int, count: int) -> None:
    shares = [share_of(total, index=index, count=count) for index in range(count)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


MOMENTS = st.floats(-1e6, 1e6)
WAYS = st.floats(1e-6, 5)


@given(st.floats(-1e6, 1e6), st.lists(st.tuples(MOMENTS, WAYS, WAYS), min_size=1))
def test_the_offset_is_never_further_off_than_it_says(
    offset_s: float, trips: list[tuple[float, float, float]]
) -> None:
    """Whatever each way took, and however unequal the two."""
    found = offset_of(
        RoundTrip(asked_s, asked_s + there_s + offset_s, asked_s + there_s + back_s)
        for asked_s, there_s, back_s in trips
    )
    assert abs(found.offset_s - offset_s) <= found.uncertainty_s + 1e-6
    assert found.uncertainty_s <= min(there + back for _, there, back in trips) / 2 + 1e-6


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a bind for nobody": (lambda: elsewhere(None, "127.0.0.1:5557", None), "--expect-workers N"),
    "both kinds": (lambda: elsewhere(2, None, 2), "expected one of the two"),
    "no port": (lambda: elsewhere(2, "127.0.0.1", None), "expected HOST:PORT"),
    "a port too high": (lambda: elsewhere(2, "127.0.0.1:70000", None), "expected HOST:PORT"),
    "any address": (lambda: elsewhere(2, "0.0.0.0:5557", None), "workers can connect to"),
    "not ours": (lambda: elsewhere(2, "192.0.2.1:5557", None), "address of this machine"),
    "containers": (
        lambda: require_reachable(
            Elsewhere("192.0.2.1", 1), plan_of().model_copy(update={"stack": "containers"})
        ),
        "on loopback alone",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_cannot_be_are_refused(case: str) -> None:
    ask, message = REFUSED[case]
    with pytest.raises(PlanError, match=message):
        ask()


def test_a_taken_port_is_refused_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PlanError, match="a free port"):
            elsewhere(1, f"127.0.0.1:{port}", None)
    assert elsewhere(1, f"127.0.0.1:{port}", None) == Elsewhere("127.0.0.1", port)
    assert elsewhere(None, None, 2) is None


def test_people_are_told_where_to_join() -> None:
    place = Elsewhere("127.0.0.1", 5557)
    assert "worker --join 127.0.0.1:5557" in (told_in_words(News("listening", port=1), place) or "")
    assert told_in_words(News("listening", port=1), None) is None
    refused = News("refused", host="far", pid=3, message="it is 0.0.1")
    assert told_in_words(refused, place) == "a worker from far (process 3) was refused: it is 0.0.1"


def lost(*, kept: bool) -> JournalEvent:
    detail: dict[str, str | int | float | bool | None] = {"message": "worker 1 was lost"}
    return JournalEvent("worker", "point", "lost", "", 1.0, {**detail, "kept": kept})


def test_a_lost_worker_makes_the_run_unknown() -> None:
    reasons = run_reasons(Timeline([lost(kept=True)]))
    assert "worker 1 was lost" in [r.sentence for r in reasons if r.exit_code == 3]
    assert Timeline([lost(kept=True)]).records_missing is None
    assert "never came home" in (Timeline([lost(kept=False)]).records_missing or "")
    assert Timeline([]).lost_workers == []


def test_the_gate_sees_one_worker_that_is_late_among_many() -> None:
    plan = plan_of()
    steady = [OperationSecond(s, "view", due=400, ok=400, served=400) for s in range(5)]
    rows = [
        GeneratorSecond(s, 200, 200, late=10 if worker == 3 and s == 0 else 0, worker=worker)
        for s in range(5)
        for worker in range(4)
    ]
    assert sum(row.late for row in rows) < 0.01 * sum(row.started for row in rows)
    assert baseline_gate(plan, operations=steady, generator=rows, stock=[]).passed
    rows[3] = GeneratorSecond(0, 200, 200, late=11, worker=3)
    found = baseline_gate(plan, operations=steady, generator=rows, stock=[])
    assert not found.passed
    assert "11 of 1000 arrivals late" in found.reason


@pytest.mark.parametrize("late_us", [2_000, 90_000])
def test_the_generator_is_as_late_as_its_worst_worker(late_us: int) -> None:
    """Two arrivals in a hundred of one worker in four: half a percent of all."""
    plan = plan_of()
    with run_of(plan.model_dump(mode="json", by_alias=True, exclude_none=True)) as run:
        rows = [("lateness", 1, 500, 100, str(worker)) for worker in range(3)]
        rows += [("lateness", 1, 500, 98, "3"), ("lateness", 1, late_us, 2, "3")]
        run.connection.executemany("INSERT INTO latency VALUES (?, ?, ?, ?, ?)", rows)
        (baseline, _) = generator_figures(run)
    assert baseline.lateness_p99_s == pytest.approx(late_us / 1e6)


@pytest.mark.parametrize("place", [None, Elsewhere("127.0.0.1", 1)])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_long_plan_has_longer_to_get_ready(place: Elsewhere | None, workers: int) -> None:
    """Every worker draws all arrivals, so the bound that is meant for few would be too short."""

    def ready_within_s(rate: str) -> float:
        phases = [{"phase": "rush", "for": "10s", "rate": rate}]
        traffic = Traffic.model_validate({"arrivals": phases, "workers": workers})
        plan = plan_of().model_copy(update={"traffic": traffic})
        order = TrafficOrder("", "", resolved(plan), "")
        return job(order, plan, place).ready_within_s

    assert ready_within_s("100000/s") > ready_within_s("1/s") + 20
