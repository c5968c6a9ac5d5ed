"""The provider process."""

from contextlib import aclosing, closing

import httpx

from target_app.provider.announcing import Announcer, Persistence
from target_app.provider.app import create_provider_app
from target_app.provider.book import Book
from target_app.provider.simulator import Simulator
from target_app.serving import bound_socket, serve
from target_app.settings import ProviderSettings

WEBHOOK_TIMEOUT_S = 3.0


async def run_provider(settings: ProviderSettings, *, host: str, port: int) -> None:
    bound = bound_socket(host, port, shared=False)
    async with httpx.AsyncClient(trust_env=False, timeout=WEBHOOK_TIMEOUT_S) as http:
        announcer = Announcer(
            http,
            url=settings.webhook_url,
            secret=settings.webhook_secret,
            persistence=Persistence(
                attempts=settings.webhook_attempts, first_pause_s=settings.webhook_pause_s
            ),
        )
        with closing(Book(settings.store)) as book:
            async with aclosing(announcer):
                simulator = Simulator(book, announcer)
                simulator.resume()
                await serve(create_provider_app(simulator), bound)
