"""The table of stock strategies, and what there is to know about each."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from target_app import known_strategies
from target_app.flaws import absolute_overwrite, blind_decrement, naive, off_by_one, skip_locked
from target_app.flaws.cache_aside import cache_aside
from target_app.flaws.lock_lease import lock_lease
from target_app.flaws.redis_decrement import redis_decrement
from target_app.flaws.redis_truth import redis_truth
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
    enough=unit_rows.ENOUGH,
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
    enough=buckets.ENOUGH,
    upkeep=raise_overlooked,
)

ACTS: dict[str, Reservations | Callable[[Redis], Reservations]] = {
    "conditional_update": CONDITIONAL_UPDATE,
    "row_lock": replace(CONDITIONAL_UPDATE, reserve=row_lock.reserve, retake=row_lock.retake),
    "unit_rows": UNIT_ROWS,
    "buckets": BUCKETS,
    "redis_gate": redis_gate,
    "naive": replace(CONDITIONAL_UPDATE, reserve=naive.reserve),
    "blind_decrement": replace(
        CONDITIONAL_UPDATE,
        reserve=blind_decrement.reserve,
        prepare=blind_decrement.prepare,
    ),
    "cache_aside": partial(cache_aside, CONDITIONAL_UPDATE),
    "lock_lease": partial(lock_lease, CONDITIONAL_UPDATE),
    "off_by_one": replace(CONDITIONAL_UPDATE, reserve=off_by_one.reserve),
    "redis_truth": partial(redis_truth, CONDITIONAL_UPDATE),
    "absolute_overwrite": replace(CONDITIONAL_UPDATE, upkeep=absolute_overwrite.upkeep),
    "skip_locked": replace(UNIT_ROWS, reserve=skip_locked.reserve),
    "redis_decrement": partial(redis_decrement, CONDITIONAL_UPDATE),
}

STRATEGIES = {name: (known, ACTS[name]) for name, known in known_strategies.STRATEGIES.items()}
"""What there is to know about each strategy, and what it does."""


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
