"""What probes and scrapers call."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from target_app.problems import reply
from target_app.readiness import breaker_is_closed, database_takes_writes, look_into, redis_answers
from target_app.web.contract import answers
from target_app.web.requests import shop_of
from target_app.web.waiting import count_room

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive(request: Request) -> Response:
    return reply({"status": "ok", "replica": shop_of(request).settings.replica})


@router.get("/readyz", responses={503: {"description": "The checks that fail"}})
async def ready(request: Request) -> Response:
    """Tell whether to send shoppers here; on the way out the answer is no, without a look."""
    if request.app.state.drain.begun:
        return reply({"status": "not ready", "failing": {"draining": "stopping"}}, status=503)
    shop = shop_of(request)
    wanted = {"payments": breaker_is_closed(lambda: shop.provider.breaker)}
    if shop.redis is not None:
        wanted["redis"] = redis_answers(shop.redis)
    needed = {"database": database_takes_writes(shop.database)}
    found = await look_into(needed=needed, wanted=wanted)
    status = "not ready" if found.failing else "ready"
    body = {"status": status, "failing": found.failing, "degraded": found.degraded}
    return reply(body, status=503 if found.failing else 200)


@router.get(
    "/metrics", response_class=Response, responses=answers("text/plain", {"type": "string"})
)
async def metrics(request: Request) -> Response:
    shop = shop_of(request)
    await request.app.state.books.refresh(shop.database)
    await count_room(shop)
    return Response(shop.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
