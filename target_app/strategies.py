"""The table of stock strategies, and what there is to know about each."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from target_app.descriptions import Description
from target_app.flaws import absolute_overwrite, blind_decrement, naive, off_by_one
from target_app.flaws.cache_aside import cache_aside
from target_app.flaws.lock_lease import lock_lease
from target_app.flaws.redis_truth import redis_truth
from target_app.flaws.table import FLAWS
from target_app.redis.client import Redis
from target_app.reservations import (
    Reservations,
    buckets,
    conditional_update,
    row_lock,
    unit_rows,
)
from target_app.reservations.alerts import raise_overlooked
from target_app.reservations.redis_gate import redis_gate

CONDITIONAL_UPDATE = Reservations(
    reserve=conditional_update.reserve,
    claim=conditional_update.claim,
    release=conditional_update.release,
    retake=conditional_update.retake,
    take_back=conditional_update.take_back,
    write_off=conditional_update.write_off,
)
UNIT_ROWS = Reservations(
    reserve=unit_rows.reserve,
    claim=unit_rows.claim,
    release=unit_rows.release,
    retake=unit_rows.retake,
    take_back=unit_rows.take_back,
    write_off=unit_rows.write_off,
    prepare=unit_rows.prepare,
    upkeep=raise_overlooked,
)
BUCKETS = Reservations(
    reserve=buckets.reserve,
    claim=buckets.claim,
    release=buckets.release,
    retake=buckets.retake,
    take_back=buckets.take_back,
    write_off=buckets.write_off,
    prepare=buckets.prepare,
    upkeep=raise_overlooked,
)

OVERSELLS = ("no_oversell", "stock_conserved")

STRATEGIES: dict[str, tuple[Description, Reservations | Callable[[Redis], Reservations]]] = {
    "conditional_update": (
        Description(
            title="one UPDATE that carries its own condition (A1)",
            correct=True,
            why="the condition is evaluated again on the row's newest version once it is locked",
        ),
        CONDITIONAL_UPDATE,
    ),
    "row_lock": (
        Description(
            title="lock the stock rows in order, then decide (A2)",
            correct=True,
            why="whoever wants the same units waits, and reads the newest version once it is free",
        ),
        replace(CONDITIONAL_UPDATE, reserve=row_lock.reserve, retake=row_lock.retake),
    ),
    "unit_rows": (
        Description(
            title="one row for each unit, passing over locked ones (A4)",
            correct=True,
            why="each unit is its own lock; nobody is refused before a second look, which waits",
        ),
        UNIT_ROWS,
    ),
    "buckets": (
        Description(
            title="several rows for each SKU, tried at random, then all (A5)",
            correct=True,
            why="nobody is refused before all buckets of the SKU have been locked and counted",
        ),
        BUCKETS,
    ),
    "redis_gate": (
        Description(
            title="a counter in Redis turns buyers away, the stock row decides (A9)",
            correct=True,
            why="what the gate lets in is judged again by the conditional update",
            needs=("redis",),
        ),
        redis_gate,
    ),
    "naive": (
        Description(
            title="read, check in the application, write the result (W1)",
            correct=False,
            why="two buyers read the same number and the second write undoes the first",
            seen_by=OVERSELLS,
        ),
        replace(CONDITIONAL_UPDATE, reserve=naive.reserve),
    ),
    "blind_decrement": (
        Description(
            title="check, then decrement blindly, without a constraint (W1b)",
            correct=False,
            why="the check is of another moment than the decrement; the counter goes below zero",
            seen_by=OVERSELLS,
        ),
        replace(
            CONDITIONAL_UPDATE,
            reserve=blind_decrement.reserve,
            prepare=blind_decrement.prepare,
        ),
    ),
    "cache_aside": (
        Description(
            title="get the stock from a cache, compare, set (W4)",
            correct=False,
            why="nothing makes the three one step: two buyers get the same number",
            seen_by=OVERSELLS,
            needs=("redis",),
        ),
        partial(cache_aside, CONDITIONAL_UPDATE),
    ),
    "lock_lease": (
        Description(
            title="read, check and write under a lock in Redis that runs out (W6)",
            correct=False,
            why="a holder paused for longer than the lease writes beside the next one",
            seen_by=OVERSELLS,
            needs=("redis",),
        ),
        partial(lock_lease, CONDITIONAL_UPDATE),
    ),
    "off_by_one": (
        Description(
            title="sell while no more than there is has been sold (W8)",
            correct=False,
            why="the condition leaves out the order itself, so one unit too many is sold",
            seen_by=OVERSELLS,
        ),
        replace(CONDITIONAL_UPDATE, reserve=off_by_one.reserve),
    ),
    "redis_truth": (
        Description(
            title="a counter in Redis decides, the stock row follows (W9)",
            correct=False,
            why="a Redis that comes back from an old snapshot sells again what it had sold since",
            seen_by=OVERSELLS,
            needs=("redis",),
        ),
        partial(redis_truth, CONDITIONAL_UPDATE),
    ),
    "absolute_overwrite": (
        Description(
            title="set the stock every second to what it was a moment ago (W14)",
            correct=False,
            why="what was sold between the export and the import has never happened",
            seen_by=OVERSELLS,
        ),
        replace(CONDITIONAL_UPDATE, upkeep=absolute_overwrite.upkeep),
    ),
}


def reservations_of(name: str, redis: Redis | None) -> Reservations:
    """Return the acts of the strategy `name`.

    Raises:
        ValueError: It is built on Redis and there is none.
    """
    _description, strategy = STRATEGIES[name]
    if isinstance(strategy, Reservations):
        return strategy
    if redis is None:
        raise ValueError(f"{name} needs Redis")
    return strategy(redis)


def described() -> dict[str, Any]:
    strategies = {name: description for name, (description, _acts) in STRATEGIES.items()}
    flaws = {name: description for name, (description, _plant) in FLAWS.items()}
    return {"strategies": _listed(strategies), "flaws": _listed(flaws)}


def _listed(table: dict[str, Description]) -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            "title": entry.title,
            "correct": entry.correct,
            "why": entry.why,
            "seen_by": list(entry.seen_by),
            "needs": list(entry.needs),
        }
        for name, entry in table.items()
    ]
