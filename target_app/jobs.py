"""What a replica does unasked: end holds, find out about charges, give money back, tell others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.orders.outbox import relay
from target_app.payments.reconciling import resolve_charges, void_lapsed
from target_app.payments.refunding import give_back
from target_app.reconciliation.events import meet_events
from target_app.reconciliation.settlement import meet_settlement

if TYPE_CHECKING:
    from target_app.shop import Shop

log = logging.getLogger(__name__)

Job = Callable[["Shop"], Awaitable[None]]
Jobs = tuple[tuple[Job, float], ...]


async def expire_holds(shop: "Shop") -> None:
    expired = True
    while expired:
        async with shop.change() as change:
            expired = await shop.acts.expire_one(change)


async def keep_up(shop: "Shop") -> None:
    """Do what the stock strategy wants done now and then."""
    async with shop.database.connection() as connection:
        await shop.acts.reservations.upkeep(connection)


JOBS: Jobs = (
    (expire_holds, 0.5),
    (void_lapsed, 1.0),
    (resolve_charges, 0.5),
    (give_back, 1.0),
    (meet_events, 5.0),
    (meet_settlement, 30.0),
    (relay, 0.5),
    (keep_up, 1.0),
)
"""Each job with the seconds between the end of one turn and the next."""


async def run_once(shop: "Shop") -> list[str]:
    """Run every job now, one after the other, and return their names."""
    for job, _pause_s in shop.acts.jobs:
        await job(shop)
    return [job.__name__ for job, _pause_s in shop.acts.jobs]


async def repeat(job: Job, shop: "Shop", *, pause_s: float) -> None:
    """Run `job` for ever: an outage or a mistake of ours costs a turn, and any job may be repeated.

    A mistake that only one row meets must not take the replica with it, nor the other jobs.
    """
    while True:
        try:
            await job(shop)
        except (UnavailableError, UnknownOutcomeError) as error:
            log.warning("%s: %s", job.__name__, error)
        except Exception:  # what nobody foresaw about one row; the others still need this job
            shop.metrics.job_failures.labels(job.__name__).inc()
            log.exception("%s", job.__name__)
        await asyncio.sleep(pause_s)
