"""The provider process."""

from contextlib import closing

import httpx

from target_app.provider.announcing import Announcer
from target_app.provider.app import Simulator, create_provider_app
from target_app.provider.book import Book
from target_app.serving import bound_socket, serve
from target_app.settings import ProviderSettings

WEBHOOK_TIMEOUT_S = 3.0


async def run_provider(settings: ProviderSettings, *, host: str, port: int) -> None:
    bound = bound_socket(host, port, shared=False)
    async with httpx.AsyncClient(trust_env=False, timeout=WEBHOOK_TIMEOUT_S) as http:
        announcer = Announcer(http, url=settings.webhook_url, secret=settings.webhook_secret)
        with closing(Book(settings.store)) as book:
            await serve(create_provider_app(Simulator(book, announcer)), bound)
