"""What shoppers call: stock, check out, pay, look, cancel."""

from fastapi import APIRouter, Request, Response

from target_app.instants import rfc3339
from target_app.orders.cancelling import cancelled
from target_app.orders.checkout import Checkout
from target_app.orders.reading import order_by_client_ref, order_by_id
from target_app.payments.paying import Payment
from target_app.problems import ProblemError, parse, reply
from target_app.web.contract import problems, takes
from target_app.web.requests import idempotency_key, shop_of

router = APIRouter(prefix="/v1", tags=["shopping"], responses=problems(422, 429, 503))

STOCK = "SELECT sku, available, reserved, sold, now() AS at FROM inventory WHERE sku = $1"
REPLAYED = {"Idempotent-Replayed": "true"}


@router.get("/skus/{sku}/stock", responses=problems(404))
async def stock(request: Request, sku: str) -> Response:
    async with shop_of(request).database.connection() as connection:
        row = await connection.fetchrow(STOCK, sku)
    if row is None:
        raise ProblemError(404, "unknown_sku", details={"sku": sku})
    counters = {name: row[name] for name in ("sku", "available", "reserved", "sold")}
    return reply({**counters, "as_of": rfc3339(row["at"])})


@router.post(
    "/checkouts",
    status_code=201,
    openapi_extra=takes(Checkout, keyed=True, admitted=True),
    responses=problems(400, 403, 404, 409, 410, 412, 500),
)
async def check_out(request: Request) -> Response:
    key = idempotency_key(request)
    wish = parse(await request.body(), Checkout)
    admission = request.headers.get("admission-token")
    done = await shop_of(request).check_out(wish, key=key, admission=admission)
    headers = REPLAYED if done.replayed else None
    return Response(done.body, 201, headers=headers, media_type="application/json")


@router.post(
    "/orders/{order_id}/payments",
    openapi_extra=takes(Payment, keyed=True),
    responses=problems(400, 402, 404, 409, 500) | {202: {"description": "Outcome not known yet"}},
)
async def pay(request: Request, order_id: str) -> Response:
    key = idempotency_key(request)
    payment = parse(await request.body(), Payment)
    answer = await shop_of(request).pay(payment, order_id=order_id, key=key)
    headers = REPLAYED if answer.replayed else None
    return reply(answer.body, status=answer.status, headers=headers)


@router.get("/orders", responses=problems(404))
async def find_order(request: Request, client_ref: str) -> Response:
    async with shop_of(request).database.connection() as connection:
        found = await order_by_client_ref(connection, client_ref)
    if found is None:
        raise ProblemError(404, "unknown_order")
    return reply(found)


@router.get("/orders/{order_id}", responses=problems(404))
async def order(request: Request, order_id: str) -> Response:
    async with shop_of(request).database.connection() as connection:
        found = await order_by_id(connection, order_id)
    if found is None:
        raise ProblemError(404, "unknown_order")
    return reply(found)


@router.post("/orders/{order_id}/cancel", responses=problems(404, 409, 500))
async def cancel(request: Request, order_id: str) -> Response:
    """Cancel an unpaid order. Cancelling twice is the same as once."""
    async with shop_of(request).change() as change:
        return reply(await cancelled(change, order_id))
