"""What a plan's storefront comes to: what the shop can be, and what the stack is asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doorbuster.cli import plans
from doorbuster.cli.plug import stack_order
from doorbuster.errors import PlanError
from doorbuster.plan import KnownShop, load_plan
from doorbuster.plan.stored import read_plan, store_plan
from doorbuster.rundir import RunDirectory
from doorbuster.stack.order import RoomOrder
from doorbuster.stack.shop import built
from target_app.settings import StorefrontSettings
from target_app.waiting.room import RoomLimits
from tests.fakes import PLAN, changed


def entry(name: str, *needs: str) -> dict[str, Any]:
    return {
        "id": name,
        "title": f"the {name}",
        "correct": False,
        "why": f"because of {name}",
        "seen_by": ["no_oversell"],
        "needs": list(needs),
        "replaces": [f"act of {name[0]}"] if name in ("P3", "P4") else [],
    }


DESCRIBED = {
    "strategies": [entry("plain"), entry("gate", "redis")],
    "flaws": [entry("W13"), entry("W9", "redis"), entry("P3", "patience"), entry("P4")],
}
SHOP = KnownShop.from_description(DESCRIBED)


@pytest.mark.parametrize(
    ("storefront", "redis", "snapshot_s"),
    [
        ("{reservation: plain}", False, None),
        ("{reservation: plain, flaws: [W13, P3]}", False, None),
        ("{reservation: plain, flaws: [W13, W9]}", True, None),
        ("{reservation: gate, flaws: [W13]}", True, None),
        ("{reservation: gate, redis_snapshot: 5s}", True, 5.0),
    ],
)
def test_redis_is_ordered_by_whoever_needs_it(
    tmp_path: Path, storefront: str, redis: bool, snapshot_s: float | None
) -> None:
    text = changed("storefront: {replicas: 1, hold: 15s}", f"storefront: {storefront}")
    plan = load_plan(text, source="plan.yaml", environ={}, shop=SHOP).plan
    order = stack_order(plan, SHOP, run_id="tiny-1", logs=tmp_path)
    assert (order.redis, order.redis_snapshot_s) == (redis, snapshot_s)
    assert (order.reservation, order.flaws) == (plan.storefront.reservation, plan.storefront.flaws)


def test_what_a_plan_asks_of_the_shop_is_kept_with_the_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.create()
    text = changed("replicas: 1", "reservation: gate, flaws: [W13, P3], redis_snapshot: 5s")
    text = changed("stock: 20,", "stock: 20, limit_per_user: 2, low_stock_at: 5,", text)
    loaded = load_plan(text, source="plan.yaml", environ={}, shop=SHOP)
    store_plan(run, loaded)
    kept = read_plan(run)
    assert kept == loaded.plan
    assert kept.storefront.flaws == ("W13", "P3")
    assert kept.storefront.redis_snapshot == 5.0
    assert (kept.sale.items[0].limit_per_user, kept.sale.items[0].low_stock_at) == (2, 5)


@pytest.mark.parametrize("flaws", ["[P3, P4]", "[P4, W13, P3]"])
def test_flaws_that_would_undo_each_other_are_refused(flaws: str) -> None:
    text = changed("replicas: 1", f"reservation: plain, flaws: {flaws}")
    line = 1 + text[: text.index("flaws:")].count("\n")
    complaint = (
        rf"^plan.yaml: line {line}: storefront.flaws: P\d and P\d both replace act of P: "
        "expected one of them only"
    )
    with pytest.raises(PlanError, match=complaint):
        load_plan(text, source="plan.yaml", environ={}, shop=SHOP)


def test_a_hold_longer_than_the_shop_takes_is_refused() -> None:
    with pytest.raises(PlanError, match=r"storefront\.hold = '721h': expected at most 30 days"):
        load_plan(changed("hold: 15s", "hold: 721h"), source="p", environ={}, shop=SHOP)


def test_flaws_are_set_on_the_command_line() -> None:
    loaded = load_plan(
        PLAN, source="p", environ={}, overrides=["storefront.flaws=[W13]"], shop=None
    )
    assert loaded.plan.storefront.flaws == ("W13",)


def test_strategies_and_flaws_are_listed_with_what_they_need(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(plans, "described", lambda: DESCRIBED)
    plans.strategies()
    listed = capsys.readouterr().out
    for name in ("plain", "gate", "W13", "W9", "P3"):
        assert f"the {name}: because of {name}" in listed
    assert listed.count("(needs redis)") == 2
    assert listed.index("gate") < listed.index("W13")


def test_a_shop_without_flaws_lists_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plans, "described", lambda: {**DESCRIBED, "flaws": []})
    plans.strategies()
    assert "what is wrong" not in capsys.readouterr().out


def test_a_waiting_room_is_ordered_with_a_redis_to_stand_in(tmp_path: Path) -> None:
    room = "waiting_room: {rate: 20/s, active: 50, lease: 30s}"
    text = changed("replicas: 1", f"reservation: plain, {room}")
    plan = load_plan(text, source="plan.yaml", environ={}, shop=SHOP).plan
    order = stack_order(plan, SHOP, run_id="tiny-1", logs=tmp_path)
    assert order.redis
    assert order.waiting_room == RoomOrder(20.0, active_max=50, lease_s=30.0, seed=7)
    told = {"STOREFRONT_DATABASES": "postgresql://x", "STOREFRONT_PROVIDER_URL": "http://x"}
    told |= {"STOREFRONT_OPS_TOKEN": "o", "STOREFRONT_WEBHOOK_SECRET": "w"}
    settings = StorefrontSettings.from_environment(
        told
        | built(replace(order, reservation="row_lock"))
        | {"STOREFRONT_REDIS_URL": "redis://x"},
        prefix="STOREFRONT_",
    )
    assert settings.room_limits == RoomLimits(20.0, active_max=50, lease_s=30.0)
    assert settings.waiting_room_seed == "7"


@pytest.mark.parametrize(
    ("room", "complaint"),
    [
        ("{rate: 20/s}", "waiting_room: `active` is missing"),
        ("{rate: 0/s, active: 5}", "waiting_room.rate = .0/s.: expected a rate above 0/s"),
        ("{rate: 20/s, active: 0}", "waiting_room.active = 0: .*expected at least 1"),
        ("{rate: 20/s, active: 5, lease: 0s}", "waiting_room.lease = .0s.: expected at least 1s"),
        ("{rate: 20/s, active: 5, lease: 721h}", "waiting_room.lease .*expected at most 30 days"),
        ("{rate: 20/s, active: 5, least: 9s}", "storefront.waiting_room.least: unknown key"),
    ],
)
def test_a_room_that_admits_nobody_is_refused(room: str, complaint: str) -> None:
    text = changed("replicas: 1", f"reservation: plain, waiting_room: {room}")
    with pytest.raises(PlanError, match=complaint):
        load_plan(text, source="plan.yaml", environ={}, shop=SHOP)
