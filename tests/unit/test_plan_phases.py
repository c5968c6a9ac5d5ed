"""The shapes of a phase: how they are written, what is refused, and what the schema says of it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from doorbuster.cli.plans import ready_plans
from doorbuster.errors import PlanError
from doorbuster.plan import Plan, load_plan
from doorbuster.plan.phases import Arrivals
from doorbuster.plan.reading import LoadedPlan
from doorbuster.plan.stepping import step_plan
from doorbuster.plan.traffic import Traffic
from tests.fakes import PLAN, changed

RUSH = "{phase: rush, for: 10s, rate: 20/s -> 60/s, burst: {visitors: 30, spread: 1s}}"
SHAPES = {
    "constant": {"rate": "40/s"},
    "ramp": {"rate": "40/s -> 10/s"},
    "exponential": {"rate": "5/s -> 80/s", "growth": "exponential"},
    "steps": {"steps": ["10/s", "20/s", "40/s"]},
    "spike to a rate": {"rate": "10/s", "spike": {"to": "100/s", "rise": "500ms"}},
    "spike of a multiple": {"rate": "10/s", "spike": {"times": 10, "hold": "2s"}},
    "peak": {"rate": "0/s", "peak": {"visitors": 100}},
    "burst": {"rate": "0/s", "burst": {"visitors": 100, "spread": "2s"}},
    "people": {"rate": "0/s", "burst": {"visitors": 9, "reaction": "400ms", "early": "20%"}},
    "series": {"series": {"counts": [5] * 10, "scale": 1.5}},
}


def phase_of(shape: dict[str, Any]) -> Arrivals:
    return Arrivals.model_validate({"phase": "rush", "for": "10s", **shape})


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_survives_being_stored(name: str) -> None:
    phase = phase_of(SHAPES[name])
    stored = phase.model_dump(mode="json", by_alias=True, exclude_none=True)
    again = Arrivals.model_validate(json.loads(json.dumps(stored)))
    assert again == phase
    assert again.text == phase.text
    assert again.count == phase.count > 0


@pytest.mark.parametrize("name", SHAPES)
def test_a_capacity_search_can_step_from_any_shape(name: str) -> None:
    raw = plan_with(SHAPES[name]).resolved
    raw["traffic"]["arrivals"] = raw["traffic"]["arrivals"][1:]
    plan = Plan.model_validate({**raw, "faults": [], "budgets": [], "stop": []} | no_close(raw))
    assert plan.traffic.arrivals[0].highest_rate >= plan.traffic.arrivals[0].first_rate
    assert step_plan(plan, 40.0, highest=100.0).traffic.arrivals[1].rate == (40, 40)


def no_close(raw: dict[str, Any]) -> dict[str, Any]:
    return {"sale": {"opens_at": "rush", "items": raw["sale"]["items"]}}


def plan_with(shape: dict[str, Any], folder: Path | None = None) -> LoadedPlan:
    phase = json.dumps({"phase": "rush", "for": "10s", **shape})
    source = str((folder or Path()) / "plan.yaml")
    return load_plan(changed(RUSH, phase), source=source, environ={})


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({}, "exactly one of rate, steps, series, got none"),
        ({"rate": "1/s", "steps": ["1/s", "2/s"]}, "got rate and steps"),
        ({"steps": ["1/s"]}, "at least 2 items"),
        ({"series": {"counts": [1] * 9}}, "the series has 9 seconds: expected `for` at most that"),
        ({"series": {"counts": []}}, "at least 1 item"),
        ({"series": {"counts": [1] * 10, "scale": 0}}, "greater than 0"),
        ({"series": {"counts": [1] * 10, "scale": float("nan")}}, "finite number"),
        ({"series": "monday.csv"}, "counts"),
        ({"rate": "5/s", "growth": "exponential"}, "needs a rate a -> b with both above 0/s"),
        ({"rate": "0/s -> 5/s", "growth": "exponential"}, "both above 0/s"),
        ({"steps": ["1/s", "2/s"], "growth": "exponential"}, "both above 0/s"),
        ({"rate": "5/s -> 6/s", "spike": {"times": 2}}, "rises from a constant `rate`"),
        ({"steps": ["1/s", "2/s"], "spike": {"times": 2}}, "rises from a constant `rate`"),
        ({"rate": "5/s", "spike": {"to": "5/s"}}, "a rate above the phase's own"),
        ({"rate": "0/s", "spike": {"times": 10}}, "a rate above the phase's own"),
        ({"rate": "5/s", "spike": {}}, "either `to` (a rate) or `times`"),
        ({"rate": "5/s", "spike": {"to": "9/s", "times": 2}}, "either `to` (a rate) or `times`"),
        ({"rate": "5/s", "spike": {"times": 2, "hold": "9s"}}, "over after 11s, expected within"),
        ({"rate": "5/s", "spike": {"times": float("inf")}}, "finite number"),
        ({"rate": "5/s", "burst": {"visitors": 5, "spread": "1s", "reaction": "1s"}}, "not both"),
        ({"rate": "5/s", "burst": {"visitors": 5, "reaction": "0s"}}, "a `reaction` above 0s"),
        ({"rate": "99999999/s"}, "a rate of at most 10000000/s"),
        ({"rate": "1/s", "for": "9" * 400 + "s"}, "a duration of at most 10000000h"),
        ({"rate": "1/s", "for": "inf"}, "expected a duration such as"),
        ({"rate": "1/s", "phase": "wave-2s"}, "-2s from `wave`: expected a name that does not end"),
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(shape: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        phase_of(shape)
    assert message in str(refused.value)


@pytest.mark.parametrize("name", ["wave-2", "wave-two", "w2s", "rush-hour"])
def test_names_that_no_anchor_clashes_with_are_good(name: str) -> None:
    assert phase_of({"rate": "1/s", "phase": name}).phase == name


def test_the_early_need_a_phase_before_theirs() -> None:
    phase = {"phase": "rush", "for": "5s", "rate": "0/s"}
    crowd = {"visitors": 10, "reaction": "400ms", "early": "10%"}
    with pytest.raises(ValidationError, match="expected 'warmup' to last at least that"):
        Traffic.model_validate({"arrivals": [{**phase, "burst": crowd}], "warmup": "900ms"})


def test_too_many_arrivals_are_refused_before_they_are_made() -> None:
    phase = {"phase": "rush", "for": "10000h", "rate": "1000/s"}
    with pytest.raises(ValidationError, match=r"36,000,003,000 arrivals, expected at most 20,000,"):
        Traffic.model_validate({"arrivals": [phase]})


def test_a_series_is_read_from_beside_the_plan(tmp_path: Path) -> None:
    (tmp_path / "monday.csv").write_text("second,count\n100,3\n\n101,4\n103,5\n")
    raw = {"phase": "rush", "for": "4s", "series": {"file": "monday.csv", "scale": 1.5}}
    rush = Arrivals.model_validate(raw, context={"folder": tmp_path})
    assert rush.series
    assert rush.series.counts == (3, 4, 0, 5)
    assert [stream.count for stream in rush.streams] == [4, 6, 8]  # of 4.5, 10.5 and 18 in all
    shorter = {**raw, "for": "3500ms", "series": "monday.csv"}
    cut = Arrivals.model_validate(shorter, context={"folder": tmp_path})
    assert cut.count == round(3 + 4 + 2.5)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "monday.csv has no rows: expected lines of second,count"),
        ("second,count\n", "monday.csv has no rows"),
        ("0,1\n1,x\n", "monday.csv line 2: '1,x', expected second,count: two whole numbers"),
        ("0,1\n1\n", "monday.csv line 2: '1', expected second,count"),
        ("0,1\n1,-1\n", "monday.csv line 2: '1,-1', expected"),
        ("0,1\n1,1.5\n", "monday.csv line 2: '1,1.5', expected"),
        ("0,1\n2,1\n1,1\n", "monday.csv line 3: second 1, expected one after the last"),
        ("0,1\n0,1\n", "monday.csv line 2: second 0, expected one after the last"),
        ("0,1\n90000,1\n", "monday.csv line 2: expected at most 86,400 seconds"),
        ("0,99999999\n", "the count at most 10,000,000"),
        ('0,"1\n', "unexpected end of data; expected a CSV file"),
    ],
)
def test_a_bad_row_of_a_series_is_named(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "monday.csv").write_text(rows)
    with pytest.raises(PlanError) as refused:
        plan_with({"series": "monday.csv"}, tmp_path)
    assert message in str(refused.value)
    assert "line 14: traffic.arrivals.1.series = 'monday.csv': " in str(refused.value)


def test_a_series_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"No such file or directory: '.*monday.csv'; expected a"):
        plan_with({"series": "monday.csv"}, tmp_path)
    with pytest.raises(PlanError, match="expected either `file` or `counts`, not both"):
        plan_with({"series": {"file": "monday.csv", "counts": [1]}}, tmp_path)


SCHEMA = Plan.model_json_schema(by_alias=True)


@pytest.mark.parametrize("name", ready_plans())
def test_the_schema_takes_every_ready_plan(name: str) -> None:
    jsonschema.validate(YAML(typ="safe").load(ready_plans()[name]), SCHEMA)


@pytest.mark.parametrize(
    ("shape", "good"),
    [
        *((shape, True) for shape in SHAPES.values()),
        ({"series": "monday.csv"}, True),
        ({"series": {"file": "monday.csv", "scale": 2}}, True),
        ({"series": {"scale": 2}}, False),
        ({}, False),
        ({"rate": "1/s", "steps": ["1/s", "2/s"]}, False),
        ({"rate": 20}, False),
    ],
)
def test_the_schema_knows_the_shapes(shape: dict[str, Any], good: bool) -> None:
    plan = YAML(typ="safe").load(PLAN)
    plan["traffic"]["arrivals"][1] = {"phase": "rush", "for": "10s", **shape}
    mistakes = list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(plan))
    assert bool(mistakes) != good
