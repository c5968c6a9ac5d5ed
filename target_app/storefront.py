"""The storefront process: a replica of the shop, its HTTP server and its jobs."""

import asyncio

from target_app.jobs import JOBS, repeat
from target_app.serving import bound_socket, serve
from target_app.settings import StorefrontSettings
from target_app.shop import open_shop
from target_app.web.app import create_app


async def run_storefront(settings: StorefrontSettings, *, host: str, port: int) -> None:
    """Serve until told to stop. The port listens only once the database has answered."""
    bound = bound_socket(host, port, shared=True)
    async with open_shop(settings) as shop, asyncio.TaskGroup() as tasks:
        jobs = [tasks.create_task(repeat(job, shop, pause_s=pause_s)) for job, pause_s in JOBS]
        await serve(create_app(shop), bound)
        for job in jobs:
            job.cancel()
