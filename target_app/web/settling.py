"""What moves money and orders after the payment: capture, refunds, shipping, people's decisions."""

from fastapi import APIRouter, Depends, Request, Response

from target_app.jobs import run_once
from target_app.orders.shipping import shipped
from target_app.payments.capturing import capture as captured
from target_app.payments.refunding import RefundWish, ask_back
from target_app.payments.reviewing import TARGETS, Decision, decide, decided
from target_app.problems import parse, reply
from target_app.web.contract import IDEMPOTENCY_KEY, problems, takes
from target_app.web.ops import operator
from target_app.web.requests import idempotency_key, shop_of

buyers = APIRouter(prefix="/v1", tags=["shopping"], responses=problems(422, 429, 503))
desk = APIRouter(
    prefix="/ops", tags=["ops"], dependencies=[Depends(operator)], responses=problems(401, 422, 503)
)

REPLAYED = {"Idempotent-Replayed": "true"}


@buyers.post(
    "/orders/{order_id}/capture",
    openapi_extra={"parameters": [IDEMPOTENCY_KEY]},
    responses=problems(400, 404, 409, 500) | {202: {"description": "Outcome not known yet"}},
)
async def capture(request: Request, order_id: str) -> Response:
    """Take the money that a payment with `capture_method` manual set aside."""
    key = idempotency_key(request)
    answer = await captured(shop_of(request), order_id=order_id, key=key)
    headers = REPLAYED if answer.replayed else None
    return reply(answer.body, status=answer.status, headers=headers)


@buyers.post(
    "/orders/{order_id}/refunds",
    status_code=201,
    openapi_extra=takes(RefundWish, keyed=True),
    responses=problems(400, 404, 409, 500)
    | {202: {"description": "The provider has not confirmed it yet"}},
)
async def refund(request: Request, order_id: str) -> Response:
    """Give back all of the money or a part of it; with `restock` the units are for sale again."""
    key = idempotency_key(request)
    wish = parse(await request.body(), RefundWish)
    done = await ask_back(shop_of(request), wish, order_id=order_id, key=key)
    return reply(done, status=201 if done["state"] == "succeeded" else 202)


@desk.post("/reconcile", status_code=202, responses=problems(500))
async def reconcile(request: Request) -> Response:
    """Run the jobs of this replica now, once."""
    return reply({"ran": await run_once(shop_of(request))}, status=202)


@desk.post(
    "/orders/{order_id}/decision",
    openapi_extra=takes(Decision),
    responses=problems(404, 409, 500) | {202: {"description": "The money is being captured"}},
)
async def decision(request: Request, order_id: str) -> Response:
    """Hold an order for review, or say how its review ends."""
    wanted = parse(await request.body(), Decision)
    status = await decide(shop_of(request), wanted, order_id=order_id)
    done = {"order_id": order_id, "status": status}
    return reply(done, status=200 if status is TARGETS[wanted.decision] else 202)


@desk.get("/orders/{order_id}/decisions")
async def decisions(request: Request, order_id: str) -> Response:
    """List who decided what about an order, and why."""
    async with shop_of(request).database.connection() as connection:
        return reply(await decided(connection, order_id))


@desk.post("/orders/{order_id}/ship", responses=problems(404, 409, 500))
async def ship(request: Request, order_id: str) -> Response:
    """Say that a paid order has left the house. Saying so twice is the same as once."""
    async with shop_of(request).change() as change:
        return reply(await shipped(change, order_id))


router = APIRouter()
router.include_router(buyers)
router.include_router(desk)
