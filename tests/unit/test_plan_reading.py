"""Plans as people write them, with their mistakes: each is found, and said where and what."""

import json
from functools import cache
from pathlib import Path

import pytest

from doorbuster.errors import PlanError
from doorbuster.plan import KnownShop, LoadedPlan, Plan, load_plan
from doorbuster.plan.reading import read_plan_file
from doorbuster.plan.stored import read_plan, store_plan
from doorbuster.rundir import RunDirectory
from tests.fakes import PLAN, changed

READY = sorted((Path(__file__).parents[2] / "doorbuster" / "plans").glob("*.yaml"))


def load(text: str = PLAN, *overrides: str, **environ: str) -> LoadedPlan:
    return load_plan(text, source="plan.yaml", overrides=overrides, environ=environ)


@cache
def good() -> LoadedPlan:
    return load()


def refusal(text: str = PLAN, *overrides: str, **environ: str) -> str:
    with pytest.raises(PlanError) as refused:
        load(text, *overrides, **environ)
    return str(refused.value)


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_ready_plans_load(path: Path) -> None:
    plan = load(path.read_text(encoding="utf-8")).plan
    assert plan.name == path.stem
    assert plan.description


def test_there_are_ready_plans() -> None:
    assert "doorbuster" in {path.stem for path in READY}


def test_all_mistakes_are_reported_at_once_by_line() -> None:
    text = changed("seed: 7", "sead: 7")
    text = changed("hold: 15s", "hold: 15 s", text)
    text = changed("on: postgres", "on: postgers", text)
    lines = refusal(text).splitlines()
    assert lines == [
        f"plan.yaml: line 2: sead: unknown key, expected one of {', '.join(Plan.model_fields)}",
        "plan.yaml: line 3: storefront.hold = '15 s': expected a duration such as 10s, 500ms or 2m",
        "plan.yaml: line 17: faults.1.on = 'postgers': unknown component: expected one of edge, "
        "payments, webhooks, redis, replication, postgres, storefront, storefront-N, postgres-a, "
        "postgres-b, redis-server, provider",
    ]


SHOWN = [
    ("seed: 7", "seed: -1", "line 2: seed = -1: expected at least 0"),
    ("name: tiny\n", "", "plan: `name` is missing"),
    ("  opens_at: rush\n", "", "line 4: sale: `opens_at` is missing"),
    ("sku: HOT-1", 'sku: ""', "line 8: sale.items.0.sku = '': expected a text"),
    ("{delay: 2s}", "{delay: 2s, jiter: 1s}", "line 16: faults.0.latency.jiter: unknown key, expe"),
    ("warmup: 2s", "personas: {robot: 1}", "line 11: traffic.personas.robot = 'robot': expected"),
    ("for 5s\n", "for 500ms\n", "line 23: stop.0 = 'errors > 60% for 500ms': expected a window"),
    (
        "during rush",
        "during rash",
        "outside faults': unknown phase 'rash': expected one of baseline",
    ),
    (
        "at: rush+1s",
        "at: baseline+1s",
        "plan: fault 'payments latency' begins at 1 s, expected aft",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), SHOWN)
def test_a_mistake_is_shown_with_line_path_value_and_expectation(
    old: str, new: str, message: str
) -> None:
    assert message in refusal(changed(old, new))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "plan.yaml: null: expected the keys and values of a plan"),
        ("- name", "plan.yaml: a list: expected the keys and values of a plan"),
        ("name", "plan.yaml: 'name': expected the keys and values of a plan"),
        ("name: [", "plan.yaml: line 1: expected the node content"),
        ("name: a\n\tseed: 1", "plan.yaml: line 2: "),
        ("name: \x00", "plan.yaml: unacceptable character"),
        (PLAN + "---\nname: other\n", "plan.yaml: line 24: "),
        (PLAN + "seed: 8\n", 'plan.yaml: line 24: found duplicate key "seed"'),
        (changed("replicas: 1", "hold: 3s"), 'plan.yaml: line 3: found duplicate key "hold"'),
    ],
)
def test_what_is_no_document_is_said_in_one_line(text: str, message: str) -> None:
    found = refusal(text)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("storefront: {replicas: 1, hold: 15s}", "storefront:", "line 3: storefront = null: "),
        ("storefront: {replicas: 1, hold: 15s}", "storefront: 3", "line 3: storefront = 3: "),
        ("seed: 7", "seed:", "line 2: seed = null: "),
        ("{delay: 2s}", "{delay: }", "line 16: faults.0.latency.delay = null: "),
        ("{reserve: 800ms}", "{reserve: }", "line 18: good_within.reserve = null: "),
        (PLAN[PLAN.index("faults:") :], "faults: 3\n", "line 15: faults = 3: "),
        (PLAN[PLAN.index("faults:") :], "faults:\n", "line 15: faults = null: "),
        (PLAN[PLAN.index("faults:") :], "faults: [3]\n", "line 15: faults.0 = 3: "),
        (PLAN[PLAN.index("budgets:") :], "budgets: [3]\n", "line 19: budgets.0 = 3: "),
    ],
)
def test_nothing_or_a_number_in_place_of_a_part_is_refused(old: str, new: str, path: str) -> None:
    assert f"plan.yaml: {path}" in refusal(changed(old, new))


@pytest.mark.parametrize("word", ["on", "off", "yes", "no"])
def test_words_stay_words(word: str) -> None:
    """In YAML 1.1 they are booleans, and the key `on` of a fault would be `true`."""
    plan = load(changed("phase: rush", f"phase: {word}").replace("rush", word)).plan
    assert plan.traffic.arrivals[1].phase == word


def test_a_time_of_day_is_no_number() -> None:
    """In YAML 1.1 it is 90, in base 60."""
    assert "line 2: seed = '1:30': expected a whole number" in refusal(
        changed("seed: 7", "seed: 1:30")
    )


def test_a_kind_without_settings_needs_none() -> None:
    text = changed("{at: rush+1s, for: 2s, on: payments, latency: {delay: 2s}}", "FAULT")
    block = "at: rush+1s\n    for: 2s\n    on: payments\n    down:"
    plan = load(changed("FAULT", block, text).replace('"payments latency"', '"payments down"')).plan
    assert plan.faults[0].name == "payments down"


@pytest.mark.parametrize(
    ("kind", "given", "name"),
    [
        ("reset_peer: {}", "", "payments reset peer"),
        ("latency: {delay: 2s}", ", name: slow_pay", "slow_pay"),
    ],
)
def test_a_budget_finds_its_fault_by_name(kind: str, given: str, name: str) -> None:
    text = changed("latency: {delay: 2s}", kind + given)
    text = changed('"payments latency"', f'"{name}"', text)
    plan = load(text).plan
    assert plan.recovery_limit_s(plan.faults[0].name) == 10


def test_a_strategy_must_be_one_that_the_shop_has() -> None:
    text = changed("replicas: 1", "reservation: magic")
    assert load(text).plan.storefront.reservation == "magic"
    shop = KnownShop({"naive": frozenset(), "atomic": frozenset()}, flaws={})
    with pytest.raises(
        PlanError, match=r"'magic': unknown strategy: expected one of naive, atomic"
    ):
        load_plan(text, source="plan.yaml", shop=shop)


def test_environment_variables_are_put_in() -> None:
    text = changed("seed: 7", "seed: ${SEED}\ndescription: ${WHO}, run ${SEED}")
    plan = load(text, SEED="11", WHO="night build").plan
    assert (plan.seed, plan.description) == (11, "night build, run 11")


def test_a_missing_environment_variable_is_a_mistake_with_a_line() -> None:
    text = changed("phase: rush, for: 10s", 'phase: rush, for: "${LENGTH}"')
    found = refusal(text)
    assert "line 14: traffic.arrivals.1.for = '${LENGTH}': ${LENGTH} is not set" in found


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("seed=8", lambda plan: plan.seed == 8),
        ("stack=containers", lambda plan: plan.stack == "containers"),
        ("description=a=b", lambda plan: plan.description == "a=b"),
        ("description=", lambda plan: not plan.description),
        ("traffic.arrivals.rush.rate=80/s", lambda plan: plan.traffic.arrivals[1].rate == (80, 80)),
        ("traffic.arrivals.1.rate=80/s", lambda plan: plan.traffic.arrivals[1].rate == (80, 80)),
        ("sale.items.BASE-{n}.stock=5", lambda plan: plan.sale.items[1].stock == 5),
        ("faults.payments latency.for=1s", lambda plan: plan.faults[0].lasts == 1),
        ("faults.1.failover.detection=2s", lambda plan: plan.faults[1].ends_after_s == 2),
        ("budgets.1=errors <= 1%", lambda plan: plan.budgets[1] == "errors <= 1%"),
        ("stop=[]", lambda plan: plan.stop == ()),
        ("good_within={pay: 3s}", lambda plan: plan.good_within == {"pay": 3}),
    ],
)
def test_an_override_changes_one_value(override: str, value: object) -> None:
    before, after = good(), load(PLAN, override)
    assert callable(value)
    assert value(after.plan)
    assert not value(before.plan) or override == "description="
    assert after.overrides == (override,)


def test_a_name_means_its_own_entry_when_others_have_none() -> None:
    text = changed("failover: {detection: 1s}", "name: outage, failover: {detection: 1s}")
    plan = load(text, "faults.outage.failover.detection=2s").plan
    assert plan.faults[1].ends_after_s == 2


def test_later_overrides_act_on_earlier_ones() -> None:
    plan = load(PLAN, "storefront={replicas: 2}", "storefront.replicas=3").plan
    assert plan.storefront.replicas == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set seed: expected PATH=VALUE, such as seed=8"),
        ("sead=8", "plan.yaml: --set sead=8: sead: unknown key"),
        ("traffic.arrivals.rash.rate=1/s", "no entry 'rash', expected one of baseline, rush"),
        ("traffic.arrivals.2.rate=1/s", "no entry '2', expected one of baseline, rush"),
        ("budgets.7=errors <= 1%", "no entry '7', expected one of 0 to 1"),
        ("seed.deep=1", "'seed' holds no further keys"),
        ("seed=[", "--set seed=[: line 1: expected the node content"),
        (
            "storefront={hald: 3s}",
            "hald: 3s}: storefront.hald: unknown key",
        ),
        ("stop.0=errors > 1%", "stop.0 = 'errors > 1%': expected a stop condition"),
    ],
)
def test_a_wrong_override_is_refused(override: str, message: str) -> None:
    assert message in refusal(PLAN, override)


def test_the_resolved_plan_reads_back_as_the_same_plan() -> None:
    text = changed("rate: 20/s}", "rate: 100/m}")
    loaded = load(changed("demand: 80%", "demand: 79.999%", text).replace("20%", "20.001%"))
    assert Plan.model_validate(loaded.resolved) == loaded.plan


def test_a_run_keeps_its_plan(tmp_path: Path) -> None:
    loaded, run = load(PLAN, "seed=8"), RunDirectory(tmp_path / "tiny" / "1")
    run.create()
    store_plan(run, loaded)
    assert read_plan(run) == loaded.plan


def test_what_a_run_keeps_can_be_rehearsed_again(tmp_path: Path) -> None:
    """With the faults that chance drew then, whatever seed the traffic gets now."""
    chance = "random: {at: rush, for: 8s, kinds: [flap, crash_loop], rate: 60/m, longest: 1s}\n"
    loaded, run = load(PLAN + chance), RunDirectory(tmp_path / "tiny" / "1")
    run.create()
    store_plan(run, loaded)
    assert loaded.plan.faults
    again = load_plan(run.plan.read_text(), source=str(run.plan), overrides=["seed=9"])
    assert again.plan == loaded.plan.model_copy(update={"seed": 9, "random": None})


def test_the_hash_is_of_the_intent() -> None:
    assert good().digest == load("# a remark\n" + PLAN.replace("60/s", "3600/m")).digest
    assert good().digest != load(PLAN, "seed=8").digest


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"\xff", "codec")])
def test_a_plan_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "plan.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PlanError, match=rf"plan\.yaml: .*{reason}.*; expected a plan in YAML"):
        read_plan_file(path)


def test_a_run_s_plan_can_be_rehearsed_again_with_its_files(tmp_path: Path) -> None:
    """It has the counts and rows that were read when it was stored."""
    (tmp_path / "series.csv").write_text("0,5\n1,7\n")
    (tmp_path / "users.csv").write_text("name\nann\nbob\n")
    text = """
name: again
sale:
  opens_at: rush
  items: [{sku: A, stock: 1, price: "1.00", demand: 100%}]
traffic:
  data: {users: users.csv}
  arrivals:
    - {phase: baseline, for: 5s, rate: 1/s}
    - {phase: rush, for: 2s, series: series.csv}
"""
    first = load_plan(text, source=str(tmp_path / "plan.yaml"), environ={})
    kept = json.dumps({"schema": 1, "source": "x", "plan": first.resolved})
    again = load_plan(kept, source=str(tmp_path / "runs" / "plan.json"), environ={})
    assert again.resolved == first.resolved
