"""The funnel on literal rows: who reached what, who was lost where, and whom nobody saw leave."""

from typing import Any

import msgspec
import pytest

from doorbuster.funnel import LOSSES, STAGES
from doorbuster.operations import SECOND, OperationEvent
from doorbuster.rundir import RunDirectory
from doorbuster.series import FunnelSecond, GeneratorSecond
from reports.evidence import run_of
from reports.figures.funnel import FunnelFigures, funnel_figures
from reports.review import review
from reports.summary import summarise
from tests.unit.reports_fixture import PLAN, clock, write_run


def row(
    stage: str,
    lost: str | None,
    sessions: int,
    *,
    persona: str = "patient",
    channel: str = "web",
    second: int = 3,
) -> FunnelSecond:
    return FunnelSecond(second, persona, channel, stage, sessions, lost)


ROWS = [
    row("viewed", "too_early", 40),
    row("tried", "sold_out", 20),
    row("tried", "errors", 5, second=7),
    row("tried", "sold_out", 3, persona="sniper"),
    row("reserved", "abandoned", 4, channel="app"),
    row("paid", None, 8),
    row("paid", None, 12, persona="sniper", second=9),
    row("paid", None, 99, second=-1),  # warm-up
]


def figures(started: int, *rows: FunnelSecond) -> FunnelFigures | None:
    generated = [GeneratorSecond(3, started, started), GeneratorSecond(-1, 50, 50)]
    tables: dict[str, Any] = {"funnel_seconds": rows, "generator_seconds": generated}
    with run_of(PLAN, [clock()], **tables) as run:
        return funnel_figures(run)


def test_every_stage_holds_those_who_came_further() -> None:
    found = figures(92, *ROWS)
    assert found
    assert [stage.stage for stage in found.stages] == list(STAGES)
    assert [stage.sessions for stage in found.stages] == [92, 92, 52, 52, 24, 20]
    lost = {stage.stage: stage.lost for stage in found.stages if stage.lost}
    assert lost == {
        "viewed": {"too_early": 40},
        "tried": {"sold_out": 23, "errors": 5},
        "reserved": {"abandoned": 4},
    }


def test_nobody_is_lost_without_a_stage() -> None:
    found = figures(92, *ROWS)
    assert found
    arrived, *_, paid = (stage.sessions for stage in found.stages)
    assert arrived - paid == sum(sum(stage.lost.values()) for stage in found.stages)


def test_whom_nobody_saw_leave_is_told() -> None:
    found = figures(100, *ROWS)
    assert found
    assert found.stages[0].sessions == 100
    assert found.stages[0].lost == {"unrecorded": 8}


def test_people_and_bots_are_told_apart() -> None:
    found = figures(92, *ROWS)
    assert found
    groups = {g.group: (g.sessions, g.tried, g.reserved, g.paid) for g in found.groups}
    assert groups == {
        "everybody": (92, 52, 24, 20),
        "people": (77, 37, 12, 8),
        "bots": (15, 15, 12, 12),
        "persona patient": (77, 37, 12, 8),
        "persona sniper": (15, 15, 12, 12),
        "channel app": (4, 4, 4, 0),
        "channel web": (88, 48, 20, 20),
    }
    only_people = figures(8, row("paid", None, 8))
    assert only_people
    assert [g.group for g in only_people.groups] == [
        "everybody",
        "persona patient",
        "channel web",
    ]


def test_no_evidence_is_no_funnel() -> None:
    assert figures(92) is None


def test_a_doubled_purchase_is_one_purchase() -> None:
    events = []
    for op, amount in (("reserve", 9900), ("pay", 9900)):
        for suffix in ("", SECOND):
            told: dict[str, Any] = {"op": op, "client_ref": "ref-1", "order_id": "O-1"}
            events += [
                OperationEvent("invoke", f"{op}{suffix}", at_s=11.0, **told),
                OperationEvent("ok", f"{op}{suffix}", at_s=12.0, amount=amount, **told),
            ]
    with run_of(PLAN, [clock()], events=events) as run:
        sale = summarise(run).sale
    assert (sale.confirmed_orders, sale.confirmed_payments, sale.revenue_minor) == (1, 1, 9900)
    assert sale.operations_with_effect == 4


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = write_run(tmp_path_factory.mktemp("runs") / "fixture" / "20261123T110000Z")
    lines = b"".join(msgspec.json.encode(line) + b"\n" for line in ROWS)
    (run.series / "funnel-0.ndjson").write_bytes(lines)
    review(run)
    return run


def test_the_pages_and_the_summary_show_it(reviewed: RunDirectory) -> None:
    page = (reviewed.path / "report.html").read_text()
    assert "How far shoppers came" in page
    assert f"23 {LOSSES['sold_out']}; 5 {LOSSES['errors']}" in page
    assert "<td>people</td><td>77</td>" in page
    summary = msgspec.json.decode(reviewed.summary.read_bytes())
    assert summary["funnel"]["stages"][5] == {"stage": "paid", "sessions": 20, "lost": {}}
    assert (
        "| reserved | 24 | 4.8 % | 4 did not pay for what they held |"
        in (reviewed.path / "summary.md").read_text()
    )


def test_a_run_without_it_says_nothing(tmp_path: Any) -> None:
    run = write_run(tmp_path / "fixture" / "20261123T120000Z")
    review(run)
    assert "How far shoppers came" not in (run.path / "report.html").read_text()
    assert msgspec.json.decode(run.summary.read_bytes())["funnel"] is None
