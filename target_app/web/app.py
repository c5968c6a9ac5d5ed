"""The storefront as an ASGI application."""

import logging

from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.problems import ProblemError, answer_problems, problem
from target_app.shop import Shop
from target_app.web import health, ops, shopping, webhooks
from target_app.web.stamp import Stamp

log = logging.getLogger(__name__)


def create_app(shop: Shop) -> ASGIApp:
    app = FastAPI(title="Doorbuster reference storefront")
    app.state.shop = shop
    for face in (shopping, webhooks, ops, health):
        app.include_router(face.router)
    answer_problems(app)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(UnknownOutcomeError, _unknown)
    app.add_exception_handler(Exception, _unknown)
    return Stamp(app, shop.metrics)


async def _unavailable(_request: Request, _error: Exception) -> Response:
    return problem(ProblemError(503, "unavailable", headers={"Retry-After": "1"}))


async def _unknown(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %r", request.method, request.url.path, error)
    return problem(ProblemError(500, "unknown_outcome"))
