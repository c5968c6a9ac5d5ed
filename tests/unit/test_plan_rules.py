"""Every rule of a plan, one broken at a time. How mistakes are shown is in `test_plan_reading`."""

from copy import deepcopy
from typing import Any, Final

import pytest
from pydantic import ValidationError

from doorbuster.plan import KnownShop, Plan
from tests.fakes import PLAN, plan_of

GOOD: Final = plan_of(PLAN).model_dump(mode="json", by_alias=True, exclude_none=True)
CONTEXT: Final = {
    "phases": ["baseline", "rush"],
    "faults": ["payments latency", "postgres failover"],
    "shop": KnownShop.from_description(
        {
            "strategies": [
                {"id": "conditional_update", "needs": []},
                {"id": "naive", "needs": []},
                {"id": "gate", "needs": ["redis"]},
            ],
            "flaws": [
                {"id": "W13", "needs": [], "replaces": []},
                {"id": "W9", "needs": ["redis"], "replaces": []},
            ],
        }
    ),
}
GONE: Final = object()


def with_change(path: str, value: object) -> dict[str, Any]:
    """Return the good plan with one value set, or removed if it is `GONE`."""
    plan = deepcopy(GOOD)
    *folders, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    node: Any = plan
    for folder in folders:
        node = node[folder]
    if value is GONE:
        del node[last]
    else:
        node[last] = value
    return plan


RULES: Final = [
    # limits, whatever else the plan says
    ("limits", {"rate": "89/s"}, "90/s at its peak, expected at most limits.rate (89/s)"),
    ("limits", {"duration": "14s"}, "the phases last 15 s, expected at most limits.duration"),
    ("limits", {"concurrent_faults": 0}, "greater than or equal to 1"),
    # the plan as a whole
    ("name", "Tiny", "should match pattern"),
    ("name", "a" * 42, "should match pattern"),
    ("name", "latest", "`latest` means the latest run"),
    ("name", GONE, "Field required"),
    ("seed", -1, "greater than or equal to 0"),
    ("seed", 2**63, "less than 9223372036854775808"),
    ("stack", "mainframe", "'embedded', 'containers' or 'external'"),
    ("shop", "mine", "expected `reference`"),
    ("storefront.replicas", 0, "greater than or equal to 1"),
    ("storefront.replicas", 17, "less than or equal to 16"),
    ("storefront.replication", "maybe", "'synchronous' or 'asynchronous'"),
    ("storefront.reservation", "magic", "unknown strategy: expected one of conditional_update, na"),
    ("storefront.hold", 15, "expected a duration such as"),
    ("storefront.flaws", ["W99"], "unknown flaw: expected any of W13, W9"),
    ("storefront.flaws", ["W13", "W9", "W13"], "the same flaw twice: W13, W9, W13"),
    ("storefront.flaws", "W13", "valid tuple"),
    ("storefront.redis_snapshot", "500ms", "expected whole seconds, at least 1s"),
    ("storefront.redis_snapshot", "1500ms", "expected whole seconds, at least 1s"),
    (
        "storefront.redis_snapshot",
        "5s",
        "does nothing in a shop without Redis: expected `storefront.reservation` gate or "
        "`storefront.flaws` W9 or `storefront.waiting_room` as well",
    ),
    (
        "good_within.reserv",
        "1s",
        "unknown operation 'reserv': expected one of session, view, stock",
    ),
    ("goals", {}, "Extra inputs are not permitted"),
    # the sale
    ("sale.opens_at", "rash", "unknown phase 'rash': expected one of baseline, rush"),
    ("sale.opens_at", "rush + 1s", "expected a phase, or a phase and an offset such as rush+4s"),
    ("sale.opens_at", "baseline-1s", "sale.opens_at is at -1 s, expected within the phases"),
    ("sale.opens_at", "rush+10s", "sale.opens_at is at 15 s, expected within the phases"),
    ("sale.opens_at", GONE, "Field required"),
    ("sale.closes_at", "rush", "sale.closes_at is at 5 s, expected after opens_at (5 s)"),
    ("sale.closes_at", "rush+11s", "sale.closes_at is at 16 s, expected after opens_at (5 s)"),
    ("sale.early_access", {"gold": "1500ms"}, "expected whole seconds, at least 1s"),
    ("sale.early_access", {"bronze": "5s"}, "should be 'silver', 'gold' or 'platinum'"),
    ("sale.early_access", {"gold": "5s"}, "does nothing without the persona `member`"),
    ("sale.items", [], "at least 1 item"),
    ("sale.items.0.demand", "70%", "the items' `demand` sums to 90.0000%, expected 100%"),
    ("sale.items.0.demand", "180%", "expected a share from 0% to 100%"),
    ("sale.items.0.demand", 0.8, "expected a share from 0% to 100%"),
    ("sale.items.0.sku", "BASE-2", "the same SKU twice: BASE-2"),
    ("sale.items.0.sku", "HOT-{n}", "expected {n} in `sku` when `count` is above 1"),
    ("sale.items.0.sku", "HOT-{m}", "should match pattern"),
    ("sale.items.0.sku", "", "should match pattern"),
    ("sale.items.0.sku", "x" * 65, "at most 64 characters"),
    ("sale.items.1.sku", "BASE", "expected {n} in `sku` when `count` is above 1"),
    ("sale.items.1.count", 10_001, "less than or equal to 10000"),
    ("sale.items.0.stock", -1, "greater than or equal to 0"),
    ("sale.items.0.price", 99.0, "expected money as a text with two decimals"),
    ("sale.items.0.price", "99", "expected money as a text with two decimals"),
    ("sale.items.0.limit_per_user", 0, "greater than or equal to 1"),
    ("sale.items.0.low_stock_at", -1, "greater than or equal to 0"),
    ("sale.items.0.low_stock_at", 20, "expected `low_stock_at` below `stock` (20)"),
    # the traffic
    ("traffic.arrivals", [], "at least 1 item"),
    ("traffic.arrivals.1.phase", "baseline", "phase named twice"),
    ("traffic.arrivals.1.phase", "warmup", "`warmup` is what comes before the first phase"),
    ("traffic.arrivals.1.phase", "Rush", "should match pattern"),
    ("traffic.arrivals.0.for", "0s", "expected every phase to last longer than 0s"),
    ("traffic.arrivals.0.lasts", "5s", "Extra inputs are not permitted"),
    ("traffic.arrivals.0.rate", 20, "expected a rate such as 150/s"),
    ("traffic.arrivals.0.rate", "20/s -> 60", "expected a rate such as 150/s"),
    ("traffic.arrivals.1.burst.visitors", 0, "greater than or equal to 1"),
    ("traffic.spacing", "random", "'poisson' or 'even'"),
    ("traffic.personas", {"patient": 0}, "at least one with a weight above 0"),
    ("traffic.personas", {}, "at least one with a weight above 0"),
    ("traffic.personas", {"robot": 1}, "'sniper', 'hoarder' or 'scraper'"),
    ("traffic.personas", {"patient": -1}, "greater than or equal to 0"),
    ("traffic.max_in_flight", 0, "greater than or equal to 1"),
    ("traffic.max_lateness", "soon", "expected a duration such as"),
    # the faults
    ("faults.0.at", "rash+1s", "unknown phase 'rash'"),
    ("faults.0.at", "baseline+1s", "begins at 1 s, expected after the first phase, 'baseline'"),
    ("faults.0.at", "rush+8s", "is lifted at 15 s, expected before the last phase ends (15 s)"),
    ("faults.1.at", "rush+9s", "is lifted at 15 s, expected before the last phase ends (15 s)"),
    ("faults.0.for", GONE, "expected `for`, the time until it is lifted"),
    ("faults.0.for", "0s", "expected a fault to last longer than 0s"),
    ("faults.1.failover.detection", "0s", "expected a fault to last longer than 0s"),
    ("faults.1.for", "1s", "this fault ends by itself: expected no `for`"),
    (
        "faults.0.down",
        {},
        "expected exactly one kind of fault (latency, bandwidth, timeout, blackhole,",
    ),
    ("faults.0.latency", GONE, "flush, respond, hooks), got none"),
    ("faults.0.latency.jiter", "1s", "Extra inputs are not permitted"),
    ("faults.0.on", "kitchen", "unknown component: expected one of edge, payments"),
    ("faults.0.on", "storefront-0", "unknown component"),
    (
        "faults.0.on",
        "storefront-1",
        "storefront-1 takes kill, pause, restart, crash_loop, hog, hooks, not latency",
    ),
    (
        "faults.0.on",
        "redis-server",
        "redis-server takes kill, pause, restart, crash_loop, hog, partition, flush, hooks, not",
    ),
    (
        "faults.0.on",
        "redis",
        "fault 'payments latency' is on redis, and this shop has no Redis: expected "
        "`storefront.reservation` gate or `storefront.flaws` W9",
    ),
    (
        "faults.1.on",
        "payments",
        "payments takes latency, bandwidth, timeout, blackhole, reset_peer, slow_close, slicer,",
    ),
    (
        "faults.1.on",
        "provider",
        "provider takes kill, pause, restart, crash_loop, hog, partition, respond, hooks, not",
    ),
    ("faults.1.failover.lose", "face", "'process' or 'machine'"),
    ("faults.1.failover.by", "magic", "'kill' or 'pause'"),
    ("faults.0.latency.share", "0%", "expected more than 0"),
    ("faults.0.latency.stream", "sideways", "'upstream' or 'downstream'"),
    ("faults.0.on", " ", "or any name with `hooks`"),
    ("faults.1.name", "payments latency", "two faults are called 'payments latency'"),
    # the budgets and stop conditions
    ("budgets.0", "errors <= 1% during rash", "unknown phase 'rash': expected one of baseline"),
    ("budgets.0", 'recovery("reset") <= 1s', 'unknown fault "reset": expected one of "payments'),
    ("budgets.0", "fast enough", "expected a budget such as"),
    ("stop.0", "errors > 60%", "expected a stop condition such as"),
]


@pytest.mark.parametrize(("path", "value", "message"), RULES)
def test_a_broken_rule_is_named(path: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Plan.model_validate(with_change(path, value), context=CONTEXT)
    assert message in "\n".join(found["msg"] for found in refused.value.errors())


def test_the_plan_that_the_rules_are_broken_in_is_good() -> None:
    assert Plan.model_validate(deepcopy(GOOD), context=CONTEXT).name == "tiny"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sale.opens_at", "rush-1s"),
        ("sale.closes_at", GONE),
        ("sale.closes_at", "rush+10s"),
        ("faults.0.at", "rush"),
        ("storefront.replicas", 16),
        ("stop", []),
        ("sale.items.0.low_stock_at", 19),
        ("sale.items.0.limit_per_user", 1),
        ("faults.1.failover.detection", "1ms"),
    ],
)
def test_what_is_at_a_limit_is_allowed(path: str, value: object) -> None:
    assert Plan.model_validate(with_change(path, value), context=CONTEXT)


@pytest.mark.parametrize(
    ("on", "kind"),
    [
        ("edge", {"timeout": {}}),
        ("webhooks", {"reset_peer": {"after": "1s"}}),
        ("replication", {"down": {}}),
        ("redis", {"timeout": {"after": "1s"}}),
        ("redis-server", {"kill": {}}),
        ("postgres", {"latency": {"delay": "1s"}}),
        ("storefront", {"kill": {}}),
        ("storefront-1", {"pause": {}}),
        ("postgres-b", {"kill": {}}),
        ("provider", {"respond": {"mode": "slow", "share": "30%"}}),
        ("edge", {"blackhole": {}}),
        ("payments", {"bandwidth": {"rate": "64KB/s"}}),
        ("webhooks", {"slow_close": {"delay": "1s"}}),
        ("postgres", {"slicer": {"size": "1KB", "variation": "200B"}}),
        ("redis", {"limit_data": {"bytes": "1MB"}}),
        ("replication", {"flap": {"down": "500ms", "up": "1s"}}),
        ("provider", {"partition": {}}),
        ("storefront-1", {"crash_loop": {"down": "1s", "up": "1s"}}),
        ("storefront", {"hog": {"cores": 2}}),
        ("postgres", {"lag": {"delay": "5s"}}),
        ("postgres", {"lock": {"sku": "HOT-1"}}),
        ("postgres", {"connections": {"left": 3}}),
        ("postgres", {"restore": {}}),
        ("the cdn", {"hooks": {"begin": ["true"], "end": ["true"]}}),
    ],
)
def test_each_component_takes_its_kinds(on: str, kind: dict[str, Any]) -> None:
    fault = {"at": "rush", "for": "1s", "on": on, **kind}
    plan = Plan.model_validate({**GOOD, "faults": [fault], "budgets": []})
    assert plan.faults[0].name == f"{on} {next(iter(kind)).replace('_', ' ')}"
    assert type(plan.faults[0].kind).__name__.lower() == next(iter(kind)).replace("_", "")


@pytest.mark.parametrize(
    ("on", "kind"),
    [
        ("edge", {"kill": {}}),
        ("redis", {"kill": {}}),
        ("redis-server", {"down": {}}),
        ("postgres", {"kill": {}}),
        ("postgres", {"pause": {}}),
        ("postgres-a", {"down": {}}),
        ("storefront-1", {"latency": {"delay": "1s"}}),
        ("provider", {"timeout": {}}),
        ("storefront-1", {"partition": {}}),
        ("provider", {"rolling": {}}),
        ("redis", {"flush": {}}),
        ("edge", {"lock": {"sku": "HOT-1"}}),
    ],
)
def test_no_component_takes_another_kind(on: str, kind: dict[str, Any]) -> None:
    fault = {"at": "rush", "for": "1s", "on": on, **kind}
    with pytest.raises(ValidationError, match=rf"{on} takes .*, not {next(iter(kind))}"):
        Plan.model_validate({**GOOD, "faults": [fault], "budgets": []})


@pytest.mark.parametrize(
    "storefront",
    [
        {"reservation": "gate", "redis_snapshot": "2s"},
        {"flaws": ["W13", "W9"], "redis_snapshot": "1s"},
        {"reservation": "gate"},
        {"waiting_room": {"rate": "5/s", "active": 5}, "redis_snapshot": "1s"},
    ],
)
@pytest.mark.parametrize(("on", "kind"), [("redis", {"down": {}}), ("redis-server", {"kill": {}})])
def test_faults_of_redis_are_for_shops_that_have_one(
    storefront: dict[str, Any], on: str, kind: dict[str, Any]
) -> None:
    fault = {"at": "rush", "for": "1s", "on": on, **kind}
    raw = {**GOOD, "faults": [fault], "budgets": []}
    plan = Plan.model_validate({**raw, "storefront": storefront}, context=CONTEXT)
    assert plan.faults[0].on == on
    with pytest.raises(ValidationError, match=f"is on {on}, and this shop has no Redis"):
        Plan.model_validate(raw, context=CONTEXT)


def test_a_shop_whose_stock_never_needs_redis_may_have_it_for_its_line() -> None:
    shop = KnownShop({"naive": frozenset()}, flaws={})
    assert shop.ways_to_redis == "`storefront.waiting_room`"


def test_a_kill_that_restarts_ends_by_itself() -> None:
    fault = {"at": "rush+1s", "on": "provider", "kill": {"restart_after": "2s"}}
    plan = Plan.model_validate({**GOOD, "faults": [fault], "budgets": []})
    assert plan.fault_span_s(plan.faults[0]) == (6, 8)


def test_moments_follow_from_the_phases() -> None:
    plan = plan_of()
    assert plan.phase_starts_s == {"baseline": 0, "rush": 5}
    assert plan.phase_span_s("rush") == (5, 15)
    assert (plan.length_s, plan.baseline_s, plan.opens_s, plan.closes_s) == (15, 5, 5, 14)
    assert [plan.fault_span_s(fault) for fault in plan.faults] == [(6, 8), (9, 10)]


def test_limits_follow_from_the_budgets() -> None:
    plan = plan_of()
    assert plan.recovery_limit_s("payments latency") == 10
    assert plan.recovery_limit_s("postgres failover") is None
    assert (plan.good_within_s("reserve"), plan.good_within_s("pay")) == (0.8, 1)
    assert plan.recovery_hold_s == 6  # twice the client timeout, which is above 5 s


@pytest.mark.parametrize(
    ("budget", "max_lateness", "expected_s"),
    [
        ("p99(pay) <= 3s", GONE, 0.05),
        ("p99(pay) <= 200ms", GONE, 0.02),
        ("p99(pay) <= 200ms", "40ms", 0.04),
    ],
)
def test_lateness_is_held_to_a_tenth_of_the_tightest_latency_budget(
    budget: str, max_lateness: object, expected_s: float
) -> None:
    raw = with_change("budgets", [budget])
    if max_lateness is not GONE:
        raw["traffic"]["max_lateness"] = max_lateness
    assert Plan.model_validate(raw).max_lateness_s == expected_s


def test_items_are_numbered_from_one() -> None:
    assert [item.skus for item in plan_of().sale.items] == [
        ("HOT-1",),
        ("BASE-1", "BASE-2", "BASE-3"),
    ]
