"""The storefront process: a replica of the shop, its HTTP server and its jobs."""

import asyncio

from target_app.jobs import repeat
from target_app.payments.steps import Observer, nothing
from target_app.serving import Drain, bound_socket, serve
from target_app.settings import StorefrontSettings
from target_app.shop import open_shop
from target_app.web.app import create_app

DRAIN_PATIENCE_S = 3.0
BOOKING_S = 1.0
"""What a payment in flight may need after the provider's answer."""


async def run_storefront(
    settings: StorefrontSettings, *, host: str, port: int, step: Observer = nothing
) -> None:
    """Serve until told to stop. The port listens only once the database has answered.

    `step` is told the steps of each payment.
    """
    bound = bound_socket(host, port, shared=True)
    async with open_shop(settings, step=step) as shop, asyncio.TaskGroup() as tasks:
        jobs = [
            tasks.create_task(repeat(job, shop, pause_s=pause_s)) for job, pause_s in shop.acts.jobs
        ]
        patience_s = max(DRAIN_PATIENCE_S, settings.provider_timeout_s + BOOKING_S)
        drain = Drain(notice_s=settings.drain_notice_s, patience_s=patience_s)
        await serve(create_app(shop, drain=drain), bound, drain=drain)
        for job in jobs:
            job.cancel()
