"""What a replica does unasked: end holds, find out about charges, give money back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.orders.holds import expire_one
from target_app.payments.reconciling import give_back, resolve_charges
from target_app.shop import Shop

log = logging.getLogger(__name__)

Job = Callable[[Shop], Awaitable[None]]


async def expire_holds(shop: Shop) -> None:
    expired = True
    while expired:
        async with shop.change() as change:
            expired = await expire_one(change)


JOBS: tuple[tuple[Job, float], ...] = (
    (expire_holds, 0.5),
    (resolve_charges, 0.5),
    (give_back, 1.0),
)
"""Each job with the seconds between the end of one turn and the next."""


async def repeat(job: Job, shop: Shop, *, pause_s: float) -> None:
    """Run `job` for ever. An outage costs a turn; every job can be repeated without harm."""
    while True:
        try:
            await job(shop)
        except (UnavailableError, UnknownOutcomeError) as error:
            log.warning("%s: %s", job.__name__, error)
        await asyncio.sleep(pause_s)
