"""What faults need of the rest of the plan, and faults drawn by chance."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from doorbuster.faults.chance import RandomKind
from doorbuster.plan import Plan
from tests.fakes import PLAN, plan_of

GOOD = plan_of(PLAN.replace("for: 10s", "for: 60s")).model_dump(
    mode="json", by_alias=True, exclude_none=True
)
FAILOVER = {"on": "postgres", "failover": {"detection": "1s"}}
FAILBACK = {"on": "postgres", "failback": {}}
SLOW = {"on": "provider", "for": "2s", "respond": {"mode": "slow"}}
PAUSED = {"on": "provider", "for": "2s", "pause": {}}
LOCKED = {"on": "postgres", "for": "2s", "lock": {"sku": "BASE-3"}}


def plan_with(*faults: dict[str, Any], **changes: Any) -> Plan:
    """Return the good plan with these faults, ten seconds apart unless they say when."""
    timed = [{"at": f"rush+{10 * n}s", "name": f"f{n}", **f} for n, f in enumerate(faults, 1)]
    return Plan.model_validate({**GOOD, "budgets": [], "faults": timed, **changes})


@pytest.mark.parametrize(
    "faults",
    [
        [FAILOVER, FAILBACK, FAILOVER],
        [FAILOVER, {"on": "postgres", "for": "1s", "lock": {"sku": "BASE-3"}}],
        [{"on": "postgres", "for": "1s", "restore": {}}, FAILOVER],
        [
            {"on": "provider", "for": "15s", "hog": {}},
            {"on": "provider", "for": "2s", "kill": {}},
        ],
        [
            {"on": "provider", "for": "15s", "respond": {"mode": "slow"}},
            {"on": "provider", "for": "2s", "kill": {}},
        ],
        [{**SLOW, "at": "rush+10s"}, {**PAUSED, "at": "rush+12s"}],  # the one begins as it ends
        [{**PAUSED, "at": "rush+10s"}, {**SLOW, "at": "rush+12s"}],
        [{**LOCKED, "for": "15s"}, {"on": "postgres-a", "for": "2s", "kill": {}}],
        [{"on": "postgres-a", "for": "25s", "kill": {}}, FAILOVER],
        [{"on": "postgres", "for": "25s", "latency": {"delay": "50ms"}}, FAILOVER],
        [{"on": "replication", "for": "25s", "down": {}}, FAILOVER],
        [{"on": "postgres", "for": "40s", "restore": {}}, FAILOVER, FAILBACK],
        [FAILOVER, {"on": "postgres-a", "for": "15s", "hog": {}}, LOCKED],
    ],
)
def test_what_can_be_acted_out_is_allowed(faults: list[dict[str, Any]]) -> None:
    assert len(plan_with(*faults).faults) == len(faults)


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ([FAILBACK], "'f1' has nothing to go back from"),
        ([FAILOVER, FAILBACK, FAILBACK], "'f3' has nothing to go back from"),
        ([FAILOVER, FAILOVER], "'f2' needs a standby, and 'f1' leaves none"),
        ([FAILOVER, {"on": "postgres", "for": "1s", "lag": {"delay": "1s"}}], "needs a standby"),
        (
            [{"on": "postgres", "for": "1s", "lock": {"sku": "COLD-1"}}],
            "locks 'COLD-1', expected a SKU of `sale.items`, such as 'HOT-1'",
        ),
        (
            [{"on": "storefront-2", "for": "1s", "kill": {}}],
            "expected storefront-1 to storefront-1",
        ),
        ([{"on": "storefront", "for": "1s", "rolling": {}}], "expected at least 2 in"),
        (
            [
                {"on": "provider", "for": "15s", "pause": {}},
                {"on": "provider", "kill": {"restart_after": "1s"}},
            ],
            "'f1' and 'f2' act on the same processes at the same time",
        ),
        (
            [
                {"on": "storefront", "for": "15s", "pause": {}},
                {"on": "storefront-1", "for": "1s", "kill": {}},
            ],
            "act on the same processes",
        ),
    ],
)
def test_what_cannot_be_acted_out_is_refused(faults: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        plan_with(*faults)


LONG = {"at": "rush+10s", "for": "20s"}
SHORT = {"at": "rush+20s", "for": "2s"}
STOPPED = ({"kill": {}}, {"pause": {}}, {"crash_loop": {"down": "1s", "up": "1s"}})
LIMITED = {"on": "postgres", "connections": {"left": 1}}
LATE = {"on": "postgres", "lag": {"delay": "1s"}}


@pytest.mark.parametrize("broken", STOPPED, ids=str)
@pytest.mark.parametrize(
    ("fault", "through"),
    [
        (SLOW, "provider"),
        (LOCKED, "postgres-a"),
        (LIMITED, "postgres-a"),
        (LATE, "postgres-b"),
        (FAILOVER, "postgres-b"),
    ],
    ids=str,
)
def test_a_fault_neither_begins_nor_ends_while_what_it_acts_through_is_stopped(
    fault: dict[str, Any], through: str, broken: dict[str, Any]
) -> None:
    lasts = {} if "failover" in fault else {"for": "6s"}
    begins = {**fault, **lasts, "at": "rush+29s"}
    with pytest.raises(ValidationError, match=f"'f2' begins at 3.* needs {through} .*'f1' breaks"):
        plan_with({**broken, **LONG, "on": through}, begins)
    lasting = {"failover": {"detection": "6s"}} if "failover" in fault else lasts
    ends = {**fault, **lasting, "at": "rush+15s"}
    with pytest.raises(ValidationError, match=f"'f2' is lifted at .* needs {through} .*'f1' br"):
        plan_with({**broken, **LONG, "on": through, "at": "rush+20s"}, ends)


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ([{**LONG, "on": "redis-server", "pause": {}}, {"on": "redis-server", "flush": {}}], "red"),
        ([{**LONG, "on": "postgres", "down": {}}, FAILOVER], "the connection to postgres-b"),
        ([{**LONG, "on": "storefront", "partition": {}}, FAILOVER], "connection to postgres-b"),
        ([{**FAILOVER, "failover": {"detection": "9s"}, "at": "rush+15s"}, LOCKED], "postgres-a"),
        ([FAILOVER, {**SHORT, "on": "postgres-b", "kill": {}}, LOCKED], None),
        ([FAILOVER, {**SHORT, "on": "postgres-b", "kill": {}}, {**LOCKED, **SHORT}], "postgres-b"),
        ([FAILOVER, {"on": "replication", "for": "15s", "down": {}}, FAILBACK], "replication"),
        ([{**LATE, "for": "45s"}, FAILOVER, FAILBACK], "replication"),
        ([{"on": "postgres", "for": "25s", "restore": {}}, FAILOVER], "after a failover"),
        (
            [
                {**LONG, "on": "postgres-a", "pause": {}},
                {"on": "postgres", "failover": {"by": "pause"}},
            ],
            "act on the same processes",
        ),
    ],
)
def test_a_fault_has_what_it_needs_at_both_its_moments(
    faults: list[dict[str, Any]], said: str | None
) -> None:
    redis = {"storefront": {**GOOD["storefront"], "reservation": "redis_gate"}}
    if said is None:
        assert plan_with(*faults).faults
        return
    with pytest.raises(ValidationError, match=said):
        plan_with(*faults, **redis)


def test_a_rolling_restart_has_a_turn_for_each_replica() -> None:
    three = {**GOOD["storefront"], "replicas": 3}
    rolling = {"on": "storefront", "rolling": {"every": "3s"}}
    assert plan_with({**rolling, "for": "6100ms"}, storefront=three).faults[0].beats_s == (3, 6)
    with pytest.raises(ValidationError, match="expected `for` above 6 s, for 3 replicas"):
        plan_with({**rolling, "for": "6s"}, storefront=three)


RANDOM = {"at": "rush+5s", "for": "40s", "kinds": ["latency", "kill"], "rate": "30/m"}


def test_the_same_seed_draws_the_same_faults_and_another_one_others() -> None:
    drawn = plan_with(random=RANDOM).faults
    assert drawn
    assert plan_with(random=RANDOM).faults == drawn
    assert plan_with(random={**RANDOM, "seed": GOOD["seed"]}).faults == drawn
    assert plan_with(random={**RANDOM, "seed": 8}).faults != drawn
    assert plan_with(random=RANDOM, seed=8).faults != drawn


@pytest.mark.parametrize("seed", range(20))
def test_chance_draws_beside_the_faults_that_a_plan_names(seed: int) -> None:
    """Those that would not go together are left out; the others stay as they are without them."""
    paused = {"on": "provider", "at": "rush+15s", "for": "20s", "pause": {}}
    chance = {**RANDOM, "kinds": ["respond", "kill", "latency"], "rate": "60/m", "seed": seed}
    alone = {fault.name: fault for fault in plan_with(random=chance).faults}
    beside = plan_with(paused, random=chance).faults[1:]
    assert 0 < len(beside) < len(alone)
    assert all(alone[fault.name] == fault for fault in beside)
    left_out = alone.keys() - {fault.name for fault in beside}
    assert {alone[name].on for name in left_out} == {"provider"}


def every_random_kind() -> dict[str, Any]:
    kinds = [kind for kind in get_args(RandomKind) if kind != "flush"]
    return {**RANDOM, "kinds": kinds, "rate": "300/m"}


@pytest.mark.parametrize("seed", range(20))
def test_a_resolved_plan_keeps_the_faults_and_draws_none_again(seed: int) -> None:
    three = {**GOOD["storefront"], "replicas": 3}
    chance = {**every_random_kind(), "seed": seed}
    down = {"on": "edge", "for": "1s", "down": {}}
    plan = plan_with(down, random=chance, storefront=three)
    resolved = plan.model_dump(mode="json", by_alias=True, exclude_none=True)
    again = Plan.model_validate(resolved)
    assert again.faults == plan.faults
    assert plan.faults[0].name == "f1"
    assert plan.faults[1].name.startswith("random 1: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kinds": []}, "at least 1 item"),
        ({"kinds": ["restore"]}, "Input should be 'latency'"),
        ({"kinds": ["flush"]}, "nothing without a name takes flush: expected redis-server in `on`"),
        ({"on": ["edge"]}, "none of edge takes kill: expected storefront or "),
        ({"on": ["edge", "provider", "webhooks", "cdn"]}, "cdn takes none of latency, kill"),
        ({"rate": "0/s"}, "expected more than 0"),
        ({"at_once": 0}, "greater than or equal to 1"),
        ({"rate": "1/m", "for": "1s"}, "`random` draws no fault with seed 7"),
        ({"at": "rush+25s"}, "expected before the last phase ends"),
    ],
)
def test_a_stretch_of_chance_has_its_rules(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        plan_with(random={**RANDOM, **change})
