"""One replica of the shop: what it holds open, and the three flows that span several acts."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from target_app.catalogue import Catalogue
from target_app.database.pool import Database, UnavailableError, UnknownOutcomeError
from target_app.database.primary import Primary
from target_app.database.schema import create_schema_when_up
from target_app.metrics import Metrics
from target_app.orders.checkout import CheckedOut, Checkout, KeyTakenError, check_out
from target_app.orders.states import Status
from target_app.orders.transitions import Change
from target_app.payments.paying import Payment, PaymentAnswer, intend, paid, processing
from target_app.payments.provider_client import (
    CONNECTIONS,
    Captured,
    Charge,
    Declined,
    Finding,
    ProviderClient,
)
from target_app.payments.settlement import book_capture, book_decline
from target_app.problems import ProblemError
from target_app.settings import StorefrontSettings
from target_app.strategies import STRATEGIES

log = logging.getLogger(__name__)


class Shop:
    """A replica's settings, database, provider and metrics, and what it does with them."""

    def __init__(
        self, settings: StorefrontSettings, *, database: Database, http: httpx.AsyncClient
    ) -> None:
        self.settings = settings
        self.database = database
        self.catalogue = Catalogue(database)
        self.metrics = Metrics(settings.replica)
        self.metrics.watch_pool(database)
        self.provider = ProviderClient(
            http, timeout_s=settings.provider_timeout_s, metrics=self.metrics
        )
        _description, self._reservations = STRATEGIES[settings.reservation]

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Change]:
        """Open a transaction that may move orders; its moves are counted once committed."""
        async with self.database.transaction() as connection:
            change = Change(connection, self._reservations)
            yield change
        for source, target in change.moves:
            self.metrics.order_moves.labels(source, target).inc()

    async def check_out(self, wish: Checkout, *, key: str) -> CheckedOut:
        try:
            return await self._check_out_once(wish, key=key)
        except KeyTakenError:
            return await self._check_out_once(wish, key=key)

    async def _check_out_once(self, wish: Checkout, *, key: str) -> CheckedOut:
        async with self.change() as change:
            return await check_out(change, wish, key=key, hold_s=self.settings.hold_s)

    async def pay(self, payment: Payment, *, order_id: str, key: str) -> PaymentAnswer:
        """Charge for an order.

        Once the intent is committed, whatever goes wrong is "processing": the reconciliation will
        find out. In particular no trouble with our own books may be told as "nothing was done".
        """
        async with self.change() as change:
            intent = await intend(change, order_id=order_id, key=key, method=payment.method)
        if isinstance(intent, PaymentAnswer):
            return intent
        finding = await self.provider.charge(intent)
        try:
            status = await self.book(intent, finding)
        except (UnavailableError, UnknownOutcomeError) as error:
            log.warning("%s: the provider's word is not booked yet: %s", intent.psp_key, error)
            return processing(order_id)
        if isinstance(finding, Declined):
            raise ProblemError(402, "card_declined")
        return paid(order_id, intent.amount) if status is Status.PAID else processing(order_id)

    async def book(self, charge: Charge, finding: Finding) -> Status | None:
        """Let the provider's word have its effect; no word has none.

        Returns:
            Where a capture left the order, None where it changed nothing or there is no order.
        """
        match finding:
            case Captured():
                async with self.change() as change:
                    return await book_capture(
                        change, order_id=charge.order_id, psp_key=charge.psp_key, capture=finding
                    )
            case Declined():
                async with self.change() as change:
                    await book_decline(change, psp_key=charge.psp_key, decline=finding)
        return None


@asynccontextmanager
async def open_shop(settings: StorefrontSettings) -> AsyncIterator[Shop]:
    """Connect to the database and the provider, create what tables are missing, and clean up.

    Raises:
        UnavailableError: No database took writes within half a minute.
    """
    async with AsyncExitStack() as held:
        primary = Primary(settings.databases, application=settings.replica)
        database = await held.enter_async_context(Database(primary, size=settings.pool_size))
        http = await held.enter_async_context(
            httpx.AsyncClient(
                base_url=settings.provider_url,
                trust_env=False,
                limits=CONNECTIONS,
                timeout=settings.provider_timeout_s,
            )
        )
        await create_schema_when_up(database)
        await database.fill()
        yield Shop(settings, database=database, http=http)
