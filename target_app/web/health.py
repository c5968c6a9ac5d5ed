"""What probes and scrapers call."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from target_app.database.pool import UnavailableError
from target_app.problems import reply
from target_app.web.requests import shop_of

router = APIRouter(tags=["health"])

WRITABLE = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"


@router.get("/healthz")
async def alive(request: Request) -> Response:
    return reply({"status": "ok", "replica": shop_of(request).settings.replica})


@router.get("/readyz", responses={503: {"description": "The checks that fail"}})
async def ready(request: Request) -> Response:
    try:
        async with shop_of(request).database.connection() as connection:
            writable = await connection.fetchval(WRITABLE)
    except UnavailableError as error:
        return _not_ready(str(error))
    return reply({"status": "ready", "failing": {}}) if writable else _not_ready("read-only")


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    return Response(shop_of(request).metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _not_ready(why: str) -> Response:
    return reply({"status": "not ready", "failing": {"database": why}}, status=503)
