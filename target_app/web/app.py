"""The storefront as an ASGI application."""

import logging

from asyncpg.exceptions import CharacterNotInRepertoireError, UntranslatableCharacterError
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp

from target_app.admission.door import Admission, Door, limits_of
from target_app.books import BookGauges
from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.payments.breaker import BreakerState
from target_app.problems import ProblemError, answer_problems, problem
from target_app.serving import Drain
from target_app.shop import Shop
from target_app.web import (
    campaigns,
    carts,
    catalogue,
    coupons,
    findings,
    health,
    inventory,
    members,
    ops,
    pages,
    quotes,
    settling,
    shopping,
    waiting,
    webhooks,
)
from target_app.web.stamp import Stamp, route_of

log = logging.getLogger(__name__)

SHOP_FRONT = (pages, catalogue, members, carts, quotes, coupons, campaigns)
"""What is there to see and to choose before anybody checks out."""

UNSTORABLE = (CharacterNotInRepertoireError, UntranslatableCharacterError)
"""Text with a NUL in it, which Postgres has no place for and refuses before anything is done."""


def create_app(shop: Shop, *, drain: Drain | None = None) -> ASGIApp:
    """Put the shop behind HTTP; `drain` is shared with the server that will stop it."""
    drain = drain or Drain()
    app = FastAPI(title="Doorbuster reference storefront")
    app.state.shop = shop
    app.state.drain = drain
    app.state.books = BookGauges(shop.metrics.registry)
    _watch_breakers(shop)
    for face in (
        *SHOP_FRONT,
        waiting,
        shopping,
        settling,
        webhooks,
        ops,
        inventory,
        findings,
        health,
    ):
        app.include_router(face.router)
    answer_problems(app)
    for unstorable in UNSTORABLE:
        app.add_exception_handler(unstorable, _unstorable)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(UnknownOutcomeError, _unknown)
    app.add_exception_handler(Exception, _unknown)
    return Stamp(_guarded(app, shop), metrics=shop.metrics, drain=drain)


def _guarded(app: ASGIApp, shop: Shop) -> ASGIApp:
    admission = Admission(limits_of(shop.settings))
    shop.database.wait_watchers.append(admission.waited)
    for priority, limit in admission.limits.items():
        shop.metrics.watch_in_flight(priority, limit)
    within_s = shop.settings.body_patience_s
    return Door(app, admission=admission, metrics=shop.metrics, body_within_s=within_s)


def _watch_breakers(shop: Shop) -> None:
    # Looked up at each scrape: the provider's client may be replaced.
    shop.metrics.watch_breaker("payments", lambda: shop.provider.breaker.state, BreakerState)
    redis = shop.redis
    if redis is not None:
        shop.metrics.watch_breaker("redis", lambda: redis.breaker.state, BreakerState)


async def _unstorable(_request: Request, error: Exception) -> Response:
    return problem(ProblemError(422, "invalid_value", details={"detail": str(error)}))


async def _unavailable(_request: Request, _error: Exception) -> Response:
    return problem(ProblemError(503, "unavailable", headers={"Retry-After": "1"}))


async def _unknown(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %r", request.method, route_of(request.scope), error)
    return problem(ProblemError(500, "unknown_outcome"))
