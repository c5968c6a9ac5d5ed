"""Every way in which the provider behaves, times every instant at which a shop may die.

A replica that dies at a step does nothing more for that request, which here is an exception there:
what it had in memory is gone, what it had committed stands. Then the buyer tries again, with the
same key and from another tab, and the reconciliation gets its turns.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from target_app.jobs import run_once
from target_app.payments.steps import Step, nothing
from tests.fault.shop_verdicts import verdicts
from tests.fault.test_target_flaws import announce, come_to_rest
from tests.integration.running_shop import Rehearsed, running_shop
from tests.integration.shop_database import postgres, shop_dsn

__all__ = ["postgres", "shop_dsn"]
pytestmark = [pytest.mark.integration, pytest.mark.fault]

BEHAVIOURS: dict[str, dict[str, Any]] = {
    "normal": {"mode": "normal"},
    "slow": {"mode": "slow", "delay_s": 0.05, "first": 1},
    "timeout before capture": {"mode": "timeout_before", "first": 1},
    "timeout after capture": {"mode": "timeout_after_capture", "first": 1},
    "decline": {"mode": "decline", "first": 1},
    "error before capture": {"mode": "soft_5xx", "first": 1},
    "error after capture": {"mode": "soft_5xx", "effect": True, "first": 1},
}
TURNS = 3
"""Of the reconciliation: it asks, finds nothing, charges again, and asks about that."""


class DiedError(Exception):
    """The replica is no more."""


@contextmanager
def dying(run: Rehearsed, at: Step) -> Iterator[list[Step]]:
    """Let the shop die whenever it comes to `at`; the list says how often it did."""
    deaths: list[Step] = []

    def die(step: Step) -> None:
        if step is at:
            deaths.append(step)
            raise DiedError(step)

    run.shop.step = die
    try:
        yield deaths
    finally:
        run.shop.step = nothing


async def pay_and_die(run: Rehearsed, order_id: str, at: Step) -> int:
    """Pay, with a death at `at`; a webhook is sent only for a charge that there is."""
    with dying(run, at) as deaths:
        await run.pay(order_id, f"pay {order_id}")
        if at is Step.EVENT_REMEMBERED and run.charges(order_id):
            with pytest.raises(AssertionError, match="unknown_outcome"):
                await announce(run, order_id, event=f"event of {order_id}")
    return len(deaths)


async def reconcile(run: Rehearsed) -> None:
    for _ in range(TURNS):
        for column in ("created_at", "next_query_at"):
            await run.age(column, table="payments", by_s=5)
        await run_once(run.shop)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_whenever_the_shop_dies_the_books_agree(
    shop_dsn: str, tmp_path: Path, behaviour: str
) -> None:
    async def scenario() -> None:
        async with running_shop(shop_dsn, tmp_path) as run:
            await run.sale(stock=10)
            orders, deaths = {}, {}
            for at in Step:
                orders[at] = await run.ordered(at.name)
                run.behave(**BEHAVIOURS[behaviour])
                deaths[at] = await pay_and_die(run, orders[at], at)
                for key in (f"pay {orders[at]}", "another tab"):
                    answer = await run.pay(orders[at], f"{key} {at}" if "tab" in key else key)
                    assert answer.status_code in {200, 202, 402, 409}, answer.text
                await reconcile(run)
            await come_to_rest(run)
            assert all(deaths[at] for at in list(Step)[:3]), deaths
            rulings = await verdicts(run)
            kept = {at: captured(run, order_id) for at, order_id in orders.items()}
            paid = {at: await run.status(order_id) == "paid" for at, order_id in orders.items()}
            assert kept == {at: int(is_paid) for at, is_paid in paid.items()}
            if behaviour != "decline":  # nobody has to take a card that was declined
                assert paid == dict.fromkeys(Step, True)
            assert set(rulings.values()) == {"pass"}, rulings

    asyncio.run(scenario())


def captured(run: Rehearsed, order_id: str) -> int:
    return sum(charge["state"] == "captured" for charge in run.charges(order_id))
