"""What a plan's storefront comes to: what the shop can be, and what the stack is asked for."""

from pathlib import Path
from typing import Any

import pytest

from doorbuster.cli import plans
from doorbuster.cli.plug import stack_order
from doorbuster.plan import KnownShop, load_plan
from doorbuster.plan.stored import read_plan, store_plan
from doorbuster.rundir import RunDirectory
from tests.fakes import PLAN, changed


def entry(name: str, *needs: str) -> dict[str, Any]:
    return {
        "id": name,
        "title": f"the {name}",
        "correct": False,
        "why": f"because of {name}",
        "seen_by": ["no_oversell"],
        "needs": list(needs),
    }


DESCRIBED = {
    "strategies": [entry("plain"), entry("gate", "redis")],
    "flaws": [entry("W13"), entry("W9", "redis"), entry("P3", "patience")],
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
