"""What a step of a capacity search showed, the answer in words, and the page that tells both."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import vl_convert

from doorbuster.plan import Plan
from doorbuster.plan.stepping import SETTLE_S, STEADY_S, step_plan
from doorbuster.rundir import RunDirectory, write_json
from doorbuster.search import Capacity, Step, capacity
from doorbuster.series import GeneratorSecond, OperationSecond
from reports.capacity import StepFigures, exit_code, judge_step, sentence, write_capacity
from reports.pages.capacity import capacity_html
from tests.unit.reports_fixture import PER_SECOND, PLAN, clock, event, write_histograms, write_lines

RATE = float(PER_SECOND)
ENDS_S = SETTLE_S + STEADY_S
LATENCY, ERRORS = "p99(reserve) <= 800ms during steady", "errors <= 1% during steady"


@dataclass(frozen=True)
class Acted:
    """How the shop and the generator do in the steady phase of a step; both are good unless told.

    Before it the shop is slow and refuses half of what it is asked, which is not to count.
    """

    reserve_s: float = 0.030
    failing: int = 0
    missed: int = 0
    late_s: float = 0.001
    until_s: int = ENDS_S
    wants: bool = True


def write_step(path: Path, acted: Acted) -> RunDirectory:
    """Write the directory of a step that sent ten shoppers a second, who view and reserve."""
    step = RunDirectory(path / "steps" / "01-10")
    step.create()
    plan = step_plan(Plan.model_validate(PLAN), RATE, highest=2 * RATE)
    resolved = plan.model_dump(mode="json", by_alias=True, exclude_none=True)
    write_json(step.plan, {"schema": 1, "plan": resolved})
    write_lines(step.journal, [event("run", "begin", "fixture", -2.0), clock()])
    seconds = range(-1, acted.until_s)
    generator = [
        GeneratorSecond(s, PER_SECOND, PER_SECOND - lost, lost)
        for s in seconds
        for lost in [acted.missed * (s == SETTLE_S)]
    ]
    write_lines(step.series / "generator-0.ndjson", generator)
    if acted.wants:
        rows = [row(s, op, acted) for s in seconds for op in ("view", "reserve")]
        write_lines(step.series / "operations-0.ndjson", rows)
    write_histograms(step.latency / "0.hlog", latencies(seconds, acted))
    return step


def row(second: int, op: str, acted: Acted) -> OperationSecond:
    steady = second >= SETTLE_S
    failed = (acted.failing if op == "reserve" else 0) if steady else PER_SECOND // 2
    ok = PER_SECOND - failed
    return OperationSecond(second, op, due=PER_SECOND, ok=ok, fail=failed, served=ok, good=ok)


def latencies(seconds: range, acted: Acted) -> dict[tuple[int, str], list[int]]:
    found = {}
    for second in seconds:
        steady = second >= SETTLE_S
        found[second, "lateness"] = [round((acted.late_s if steady else 0.002) * 1e6)] * PER_SECOND
        if acted.wants:
            took_us = round((acted.reserve_s if steady else 5.0) * 1e6)
            found[second, "reserve.intended"] = [took_us] * PER_SECOND
            found[second, "reserve.service"] = [took_us // 2] * PER_SECOND
    return found


def judged(path: Path, **acted: Any) -> StepFigures:
    return judge_step(write_step(path, Acted(**acted)), RATE)


def test_a_step_within_its_budgets_passes_with_the_figures_of_its_steady_phase(
    tmp_path: Path,
) -> None:
    step = judged(tmp_path)
    assert (step.rate_per_s, step.ruling) == (10.0, "pass")
    assert (step.offered_per_s, step.started_per_s) == (10.0, 10.0)
    assert (step.goodput_per_s, step.orders_per_s, step.errors_share) == (20.0, 10.0, 0.0)
    assert step.reserve_p99_s == pytest.approx(0.030, rel=1e-3)
    assert step.reserve_service_p99_s == pytest.approx(0.015, rel=1e-3)
    assert step.lateness_p99_s == pytest.approx(0.001, rel=1e-3)
    assert [reason.split(": ")[0] for reason in step.reasons] == [LATENCY, ERRORS]


def test_a_slow_step_fails_and_says_only_what_it_broke(tmp_path: Path) -> None:
    step = judged(tmp_path, reserve_s=0.9)
    assert step.ruling == "fail"
    (reason,) = step.reasons
    assert re.fullmatch(rf"{re.escape(LATENCY)}: measured 90\dms, limit 800ms \(over 8 s\)", reason)


def test_a_step_with_errors_fails(tmp_path: Path) -> None:
    step = judged(tmp_path, failing=1)
    assert (step.ruling, step.errors_share) == ("fail", 0.05)
    assert (step.goodput_per_s, step.orders_per_s) == (19.0, 9.0)
    assert step.reasons == (f"{ERRORS}: measured 5%, limit 1% (over 8 s)",)


WAS_FULL = "the generator, not the shop, was full"
DOUBTS = {
    "arrivals were missed": ({"missed": 1}, f"{WAS_FULL}: steady: 1 of 80 arrivals missed"),
    "they came late": ({"late_s": 0.2}, f"{WAS_FULL}: steady: lateness p99 200 ms, limit 50 ms"),
    "the generator ended": (
        {"until_s": 7},
        "the planned crowd was not sent: steady: only 40 of 80 arrivals came due in it",
    ),
}


@pytest.mark.parametrize(("acted", "doubt"), DOUBTS.values(), ids=DOUBTS)
def test_a_step_whose_crowd_was_not_sent_whole_and_in_time_is_unknown(
    tmp_path: Path, acted: dict[str, Any], doubt: str
) -> None:
    """However bad the shop looked: its figures are then not those of the rate."""
    step = judged(tmp_path, reserve_s=0.9, failing=5, **acted)
    assert step.ruling == "unknown"
    assert step.reasons == (f"{LATENCY}: {doubt}", f"{ERRORS}: {doubt}")


def test_missed_arrivals_were_offered_and_not_started(tmp_path: Path) -> None:
    step = judged(tmp_path, missed=4)
    assert (step.offered_per_s, step.started_per_s) == (10.0, 9.5)


def test_a_step_in_which_nobody_wanted_anything_is_unknown_and_measured_nothing(
    tmp_path: Path,
) -> None:
    step = judged(tmp_path, wants=False)
    assert step.ruling == "unknown"
    assert (step.goodput_per_s, step.errors_share, step.orders_per_s) == (None, None, 0.0)
    assert (step.reserve_p99_s, step.reserve_service_p99_s) == (None, None)
    assert step.reasons[0].endswith("no reserve was due in the window's 8 s")


FULL = "; 80/s gave no answer, and its step says why"
ANSWERS = {
    "both ends": (
        Capacity(47.1, 53.3),
        "between 47.1 and 53.3 sessions a second",
        0,
    ),
    "only passed": (
        Capacity(40.0, None),
        "at least 40 sessions a second: no rate that was tried failed",
        0,
    ),
    "only failed": (
        Capacity(None, 2.5),
        "below 2.5 sessions a second: no rate that was tried kept the budgets",
        1,
    ),
    "nothing": (Capacity(None, None), "unknown: no rate gave an answer", 3),
}


@pytest.mark.parametrize(("found", "words", "code"), ANSWERS.values(), ids=ANSWERS)
def test_the_answer_in_words_and_as_an_exit_code(found: Capacity, words: str, code: int) -> None:
    assert (sentence(found), exit_code(found)) == (words, code)
    limited = Capacity(found.passed, found.failed, 80.0)
    assert (sentence(limited), exit_code(limited)) == (words + FULL, code)


ENVIRONMENT = {
    "schema": 1,
    "doorbuster": "0.1.0",
    "git": {"commit": "abc1234", "dirty": False},
    "host": {"cores": 2, "memory_bytes": 8_000_000_000},
    "proxy": "embedded",
    "note": "</script><script>alert(1)</script>",
}


def tried(rate_per_s: float, ruling: Any, **figures: Any) -> StepFigures:
    """Return the figures of a step; what it does not tell is what a good one shows."""
    shown: dict[str, Any] = {
        "offered_per_s": rate_per_s,
        "started_per_s": rate_per_s,
        "goodput_per_s": rate_per_s * 3,
        "orders_per_s": rate_per_s,
        "errors_share": 0.0,
        "reserve_p99_s": rate_per_s / 1000,
        "reserve_service_p99_s": rate_per_s / 2000,
        "lateness_p99_s": 0.001,
        "reasons": (f"{LATENCY}: at {rate_per_s:g}",),
    }
    return StepFigures(rate_per_s=rate_per_s, ruling=ruling, **shown | figures)


NOTHING = {"goodput_per_s": None, "reserve_p99_s": None, "reserve_service_p99_s": None}
STEPS = [
    tried(10.0, "pass"),
    tried(16.0, "pass"),
    tried(25.6, "fail"),
    tried(20.8, "unknown", **NOTHING),
]
FOUND = capacity([Step(step.rate_per_s, step.ruling) for step in STEPS])


def new_search(path: Path) -> RunDirectory:
    run = RunDirectory(path / "tiny-capacity" / "20261123T090000Z")
    run.create()
    write_json(run.environment, ENVIRONMENT)
    write_json(run.plan, {"schema": 1, "source": "ready plan smoke", "plan": PLAN})
    return run


def test_the_search_is_written_down_whole(tmp_path: Path) -> None:
    run = new_search(tmp_path)
    assert write_capacity(run, STEPS, FOUND) == run.path / "report.html"
    document = json.loads((run.path / "capacity.json").read_bytes())
    assert set(document) == {"schema", "capacity", "steps", "sentence"}
    assert (document["schema"], document["sentence"]) == (1, sentence(FOUND))
    assert document["capacity"] == {"passed": 16.0, "failed": 25.6, "undecided": 20.8}
    assert msgspec.convert(document["steps"], list[StepFigures]) == STEPS
    assert all(set(step) == set(StepFigures.__struct_fields__) for step in document["steps"])
    assert "ready plan smoke" in (run.path / "report.html").read_text()


def page_of(steps: list[StepFigures]) -> str:
    return capacity_html("tiny-1", steps, "between 16 and 25.6 sessions a second", ENVIRONMENT)


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(STEPS)


def specs_of(page: str) -> list[dict[str, Any]]:
    found = re.findall(r'vegaEmbed\("#chart-\d+", (\{.*\}), \{actions: false', page)
    return [json.loads(spec) for spec in found]


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is drawn, wherever in the chart it stands."""
    layers = [spec, *spec.get("layer", [])]
    inline = [layer["data"]["values"] for layer in layers if "values" in layer.get("data", {})]
    rows: list[dict[str, Any]] = [*inline, *spec.get("datasets", {}).values()][0]
    return rows


def outside_scripts(page: str) -> str:
    return re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)


def test_the_page_says_the_answer_first(page: str) -> None:
    body = page.split("<body>")[1]
    answer = body.index("between 16 and 25.6 sessions a second.")
    assert answer < body.index("chart-1") < body.index("Steps")


def test_the_page_needs_no_network(page: str) -> None:
    text = outside_scripts(page)
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|\b(?:src|href)=|@import|url\(", text)
    specs = json.dumps([{**spec, "$schema": ""} for spec in specs_of(page)])
    assert not re.search(r'https?://|"url"', specs)
    assert len(page.encode()) < 3_000_000


def test_the_page_has_every_step_in_order_of_its_rate(page: str) -> None:
    rows = re.findall(r"<tr><td>(.*?)</td>.*?</tr>", page, re.DOTALL)
    assert rows == ["10/s", "16/s", "20.8/s", "25.6/s"]
    for step in STEPS:
        assert f"<td>{step.rate_per_s:.1f}/s</td>" in page
        assert f'<td class="words">{step.ruling}</td>' in page
        assert f"&lt;= 800ms during steady: at {step.rate_per_s:g}</td>" in page
    assert "<td>16 ms</td>" in page
    assert "<td>-</td>" in page


def test_the_page_tells_what_was_run_in_words(page: str) -> None:
    told = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert (told["run"], told["git commit"], told["host cores"]) == ("tiny-1", "abc1234", "2")
    assert "schema" not in told
    assert not any("{" in value for value in told.values())


def test_nothing_that_was_measured_becomes_part_of_the_page(page: str) -> None:
    evil = page_of([tried(10.0, "</script><script>alert(1)</script>")])
    for text in (page, evil):
        assert "<script>alert" not in text
        assert text.count("<script>") == text.count("</script>") == 2


def test_the_charts_draw_what_was_measured_and_no_more(page: str) -> None:
    latency, goodput = specs_of(page)
    drawn = [(r["rate"], r["what"], r["seconds"]) for r in rows_of(latency)]
    assert drawn == [
        (rate, what, pytest.approx(rate / share))
        for rate in (10.0, 16.0, 25.6)
        for what, share in (("intended", 1000), ("service", 2000))
    ]
    assert [(r["rate"], r["goodput_per_s"]) for r in rows_of(goodput)] == [
        (rate, pytest.approx(rate * 3)) for rate in (10.0, 16.0, 25.6)
    ]


def test_the_charts_can_be_drawn(page: str) -> None:
    titles = ["p99 of reserve (s)", "goodput (operations/s)"]
    for spec, title in zip(specs_of(page), titles, strict=True):
        svg = vl_convert.vegalite_to_svg({**spec, "width": 500})
        assert title in svg
        assert svg.count('aria-roledescription="point"') == len(rows_of(spec))


def test_a_search_that_tried_nothing_has_a_page_too(tmp_path: Path) -> None:
    run = new_search(tmp_path)
    found = capacity([])
    text = write_capacity(run, [], found).read_text()
    assert "unknown: no rate gave an answer." in text
    assert "vegaEmbed" not in text
    assert json.loads((run.path / "capacity.json").read_bytes())["steps"] == []
