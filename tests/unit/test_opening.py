"""T0 at a time of day: what it means, who may say so, and how the run keeps it."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.appointment import clock_of, idle_s, require_time
from doorbuster.cli.plans import find_plan
from doorbuster.errors import DoorbusterError, PlanError
from doorbuster.journal import Journal
from doorbuster.opening import opening_of
from doorbuster.plan import Plan, load_plan
from doorbuster.plan.stepping import step_plan
from doorbuster.run import Rehearsal, RunEnded
from tests.fakes import FakeParts

PLAN = """
name: by-its-own-clock
stack: external
target: {base_url: "http://127.0.0.1:9"}
sale:
  opens_at: "%s"
  items: [{sku: HOT, stock: 10, price: "99.00", demand: 100%%}]
traffic:
  arrivals:
    - {phase: baseline, for: 10s, rate: 10/s}
    - {phase: rush, for: 20s, rate: 10/s}
  warmup: 2s
"""
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def plan_of(opens_at: str) -> Plan:
    return load_plan(PLAN % opens_at, source="p.yaml", environ={}).plan


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("20:00Z", "2026-07-01T20:00"),
        ("20:00+01:00", "2026-07-01T19:00"),
        ("11:59:59-00:30", "2026-07-01T12:29:59"),
        ("20:00 Europe/Vienna", "2026-07-01T18:00"),
        ("00:30 Asia/Tokyo", "2026-07-01T15:30"),
        ("12:00 UTC", "2026-07-02T12:00"),
        ("rush+2s at 12:00:01Z", "2026-07-01T12:00:01"),
    ],
)
def test_a_time_of_day_is_the_next_one_in_its_zone(text: str, utc: str) -> None:
    assert opening_of(text).next_after(NOON) == datetime.fromisoformat(f"{utc}+00:00")


@given(
    st.integers(0, 365 * 86_400).map(lambda ahead_s: NOON + timedelta(seconds=ahead_s)),
    st.times().map(lambda found: found.strftime("%H:%M:%S")),
    st.sampled_from(["Z", "+05:30", "-11:00", " Europe/Vienna", " America/New_York"]),
)
def test_it_comes_within_a_day_whatever_the_time_of_year(
    now: datetime, clock: str, zone: str
) -> None:
    """A day has up to 25 hours where clocks are put back."""
    ahead = opening_of(f"{clock}{zone}").next_after(now) - now
    assert timedelta() < ahead <= timedelta(hours=25)


def test_the_baseline_ends_or_an_anchor_is_there_by_then() -> None:
    assert plan_of("rush+3s").opens_s == 13
    assert plan_of("20:00 Europe/Vienna").opens_s == 10
    assert plan_of("rush+3s at 20:00Z").opens_s == 13
    stored = plan_of("20:00Z").model_dump(mode="json", by_alias=True, exclude_none=True)
    assert stored["sale"]["opens_at"] == "20:00Z"
    assert Plan.model_validate(stored).opens_s == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20:00", "expected a zone with the time of day"),
        ("25:00Z", "hour must be in 0..23; expected a time of day"),
        ("20:00 Europe/Wien", "unknown zone 'Europe/Wien'"),
        ("20:00 Europe", "unknown zone 'Europe'"),
        ("20:00+19:00", "no clock is \\+19:00 off"),
        ("rash at 20:00Z", "unknown phase 'rash': expected one of baseline, rush"),
        ("rush+20s at 20:00Z", "is at 30 s, expected within the phases"),
    ],
)
def test_what_no_clock_shows_is_refused(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        plan_of(text)


def test_a_shop_that_is_told_when_to_open_wants_an_anchor() -> None:
    text = (PLAN % "20:00Z").replace("stack: external\n", "").replace("target:", "# ")
    with pytest.raises(PlanError, match="this shop opens when it is told to: expected an anchor"):
        load_plan(text, source="p.yaml", environ={})


def test_a_capacity_step_finds_the_shop_open() -> None:
    step = step_plan(plan_of("20:00Z"), 10.0, highest=10.0)
    assert step.opens_s == 0
    assert idle_s(step, now=NOON) == 0


def test_there_has_to_be_time_to_get_ready_and_not_too_much_of_it() -> None:
    """Arrivals begin 12 s before the sale: warm-up and baseline."""
    assert require_time(plan_of("rush"), now=NOON) == 0
    assert require_time(plan_of("12:00:40Z"), now=NOON) == 28
    for text, wait in (("12:00:20Z", "8"), ("12:00:00Z", "86,388"), ("13:01Z", "3,648")):
        with pytest.raises(PlanError, match=f"begin in {wait} s; expected 15 s to 3,600 s"):
            require_time(plan_of(text), now=NOON)


def test_the_command_refuses_it_before_anything_starts(tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(minutes=2)
    (tmp_path / "p.yaml").write_text(PLAN % past.strftime("%H:%M:%SZ"))
    plan = find_plan(str(tmp_path / "p.yaml")).plan  # it is no mistake of the plan
    with pytest.raises(PlanError, match="arrivals would begin in"):
        require_time(plan, now=datetime.now(UTC))


def test_the_run_s_clock_meets_the_shop_s() -> None:
    """The sale opens in 13 s: a second to the first arrival, then warm-up and baseline."""
    looks: list[float] = []
    began_s = time.monotonic()
    clock = clock_of(
        plan_of("12:00:13Z"),
        lead_s=0.7,
        now=NOON,
        meanwhile=lambda: looks.append(time.monotonic()),
    )
    ended_s = time.monotonic()
    assert clock.zero_monotonic_s - began_s >= 3.0
    assert clock.zero_monotonic_s <= ended_s + 2.7
    assert ended_s - began_s >= 0.3
    assert looks


@pytest.mark.parametrize("opens_at", ["12:00:13Z", "11:59:59Z"])
def test_a_run_that_is_not_ready_in_time_fails(opens_at: str) -> None:
    with pytest.raises(DoorbusterError, match="getting ready took too long"):
        clock_of(plan_of(opens_at), lead_s=1.1, now=NOON, meanwhile=lambda: None)


def test_a_generator_that_is_lost_while_the_run_waits_ends_it(tmp_path: Path) -> None:
    """It is no accident: the journal has it already, and there is just no evidence."""

    def lose() -> None:
        raise RunEnded("the traffic generator was lost")

    soon = datetime.now(UTC) + timedelta(minutes=2)
    parts = FakeParts(on_check=lose)
    with Journal(tmp_path / "journal.ndjson") as journal:
        Rehearsal(plan_of(soon.strftime("%H:%M:%SZ")), parts.parts(), journal).run()
    assert "traffic begins" not in parts.done
    assert parts.done[-1] == "stack down"
