"""One replica of the shop: what it holds open, and the three flows that span several acts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from target_app.acts import Acts, correct_acts
from target_app.catalogue import Catalogue
from target_app.database.pool import Database
from target_app.database.primary import Primary
from target_app.database.schema import create_schema_when_up
from target_app.flaws.table import FLAWS
from target_app.metrics import Metrics
from target_app.orders.checkout import CheckedOut, Checkout, GiftGoneError, KeyTakenError
from target_app.orders.states import Status
from target_app.orders.transitions import Change
from target_app.payments.findings import Authorized, Captured, Charge, Closed, Declined, Finding
from target_app.payments.paying import Payment, PaymentAnswer
from target_app.payments.provider_client import CONNECTIONS, ProviderClient
from target_app.payments.settlement import book_authorization, book_closed
from target_app.payments.steps import Observer, nothing
from target_app.redis.client import Redis, open_redis
from target_app.settings import StorefrontSettings
from target_app.strategies import reservations_of
from target_app.waiting.admitting import let_in, place_inside
from target_app.waiting.room import WaitingRoom


class Shop:
    """A replica's settings, database, provider, metrics and acts, and what it does with them.

    `step` is told the steps of each payment; tests end the process there.
    """

    def __init__(
        self,
        settings: StorefrontSettings,
        *,
        database: Database,
        http: httpx.AsyncClient,
        redis: Redis | None = None,
        step: Observer = nothing,
    ) -> None:
        self.settings = settings
        self.database = database
        self.redis = redis
        self.step = step
        self.catalogue = Catalogue(database)
        self.metrics = Metrics(settings.replica)
        self.metrics.watch_pool(database)
        self.provider = ProviderClient(
            http,
            timeout_s=settings.provider_timeout_s,
            metrics=self.metrics,
        )
        self.room = opened_room(settings, redis, self.metrics)
        self.acts = planted_acts(settings, redis)
        self.reservations = self.acts.reservations

    @asynccontextmanager
    async def change(self, *, gone_gifts: frozenset[str] = frozenset()) -> AsyncIterator[Change]:
        """Open a transaction that may move orders; its moves are counted once committed."""
        async with self.database.transaction() as connection:
            change = Change(
                connection,
                self.reservations,
                rule_book=self.catalogue.rule_book,
                gone_gifts=gone_gifts,
            )
            yield change
        for source, target in change.moves:
            self.metrics.order_moves.labels(source, target).inc()
        for minor_units in change.paid_minor_units:
            self.metrics.count_paid(minor_units)

    async def check_out(
        self, wish: Checkout, *, key: str, admission: str | None = None
    ) -> CheckedOut:
        """Check out; with a waiting room that takes an `admission` and gives its place back."""
        if self.room is None:
            return await self._check_out_twice(wish, key=key, admission=None)
        async with place_inside(self.database, self.room, wish, token=admission):
            return await self._check_out_twice(wish, key=key, admission=admission)

    async def _check_out_twice(
        self, wish: Checkout, *, key: str, admission: str | None
    ) -> CheckedOut:
        try:
            return await self._check_out_for_all_gifts(wish, key=key, admission=admission)
        except KeyTakenError:
            return await self._check_out_for_all_gifts(wish, key=key, admission=admission)

    async def _check_out_for_all_gifts(
        self, wish: Checkout, *, key: str, admission: str | None
    ) -> CheckedOut:
        """Check out, with one gift less each time that one cannot be had.

        What is to be seen of a gift may be more than what can be taken for as long as one looks:
        holds end and begin between the two, and a gate may be lower than the stock behind it.
        """
        gone: frozenset[str] = frozenset()
        while True:
            try:
                return await self._check_out_once(
                    wish, key=key, admission=admission, gone_gifts=gone
                )
            except GiftGoneError as error:
                gone |= {error.sku}

    async def _check_out_once(
        self, wish: Checkout, *, key: str, admission: str | None, gone_gifts: frozenset[str]
    ) -> CheckedOut:
        skus = [line.sku for line in wish.lines]
        async with (
            self.reservations.around(skus),
            self.change(gone_gifts=gone_gifts) as change,
        ):
            if self.room is not None:
                await let_in(change.connection, self.room, wish, key=key, token=admission)
            return await self.acts.check_out(change, wish, key=key, hold_s=self.settings.hold_s)

    async def pay(self, payment: Payment, *, order_id: str, key: str) -> PaymentAnswer:
        return await self.acts.pay(self, payment, order_id=order_id, key=key)

    async def book(self, charge: Charge, finding: Finding) -> Status | None:
        """Let the provider's word have its effect; no word has none.

        Returns:
            Where it left the order, None where it changed nothing or there is no order.
        """
        order_id, psp_key = charge.order_id, charge.psp_key
        match finding:
            case Captured():
                async with self.change() as change:
                    return await self.acts.book_capture(
                        change, order_id=order_id, psp_key=psp_key, capture=finding
                    )
            case Authorized():
                async with self.change() as change:
                    return await book_authorization(
                        change, order_id=order_id, psp_key=psp_key, authorization=finding
                    )
            case Declined():
                async with self.change() as change:
                    await self.acts.book_decline(change, psp_key=psp_key, decline=finding)
            case Closed():
                async with self.change() as change:
                    return await book_closed(change, order_id=order_id, psp_key=psp_key)
        return None


def opened_room(
    settings: StorefrontSettings, redis: Redis | None, metrics: Metrics
) -> WaitingRoom | None:
    """Return the waiting room that the settings want, and Redis can hold."""
    limits = settings.room_limits
    if limits is None:
        return None
    if redis is None:
        raise ValueError("a waiting room needs Redis")
    secret = settings.signing_secret
    seed = settings.waiting_room_seed or secret
    return WaitingRoom(redis, limits, secret=secret, seed=seed, registry=metrics.registry)


def planted_acts(settings: StorefrontSettings, redis: Redis | None) -> Acts:
    """Return the acts of the correct shop, with whatever the settings want planted."""
    acts = correct_acts(reservations_of(settings.reservation, redis))
    for flaw in settings.flaws:
        _description, plant = FLAWS[flaw]
        acts = plant(acts, settings)
    return acts


@asynccontextmanager
async def open_shop(
    settings: StorefrontSettings, *, step: Observer = nothing
) -> AsyncIterator[Shop]:
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
        redis = None
        if settings.redis_url is not None:
            redis = await held.enter_async_context(open_redis(settings.redis_url))
        yield Shop(settings, database=database, http=http, redis=redis, step=step)
