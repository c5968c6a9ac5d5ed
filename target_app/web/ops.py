"""What whoever runs the sale calls: open a sale, read the books, ask whether all is settled."""

import hmac

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from target_app.problems import ProblemError, parse, reply
from target_app.sale import SaleSetup, looked_over, start_sale
from target_app.web.contract import answers, problems, takes
from target_app.web.ledger import export
from target_app.web.requests import shop_of
from target_app.web.waiting import empty_room

QUIESCENCE = """
SELECT (SELECT count(*) FROM orders WHERE status = 'payment_processing')
       + (SELECT count(*) FROM payments WHERE state IN ('capturing', 'voiding'))
       AS payment_processing,
       (SELECT count(*) FROM orders WHERE status IN ('pending_payment', 'authorized'))
       AS active_holds,
       (SELECT count(*) FROM refunds WHERE state = 'pending') AS refunds_pending,
       (SELECT count(*) FROM outbox) AS messages_untold
"""
INVENTORY = "SELECT sku, initial, available, reserved, sold FROM inventory ORDER BY sku"


async def operator(request: Request) -> None:
    expected = f"Bearer {shop_of(request).settings.ops_token}"
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise ProblemError(401, "not_an_operator", headers={"WWW-Authenticate": "Bearer"})


router = APIRouter(
    prefix="/ops", tags=["ops"], dependencies=[Depends(operator)], responses=problems(401, 503)
)


@router.put("/sale", openapi_extra=takes(SaleSetup), responses=problems(422, 500))
async def put_sale(request: Request) -> Response:
    shop = shop_of(request)
    setup = parse(await request.body(), SaleSetup)
    rules, warnings = looked_over(setup)
    async with shop.database.transaction() as connection:
        await start_sale(connection, setup, rules)
        await shop.reservations.prepare(connection)
    shop.catalogue.forget()
    await empty_room(shop, setup.starts_at)
    return reply(
        {
            "items": len(setup.items),
            "units": sum(item.stock for item in setup.items),
            "promotion_version": rules.version,
            "warnings": warnings,
        }
    )


@router.get(
    "/ledger",
    response_class=StreamingResponse,
    responses=answers("application/x-ndjson", {"type": "string"}),
)
async def ledger(request: Request) -> Response:
    connection = await shop_of(request).database.dedicated()
    return StreamingResponse(export(connection), media_type="application/x-ndjson")


@router.get("/quiescence")
async def quiescence(request: Request) -> Response:
    async with shop_of(request).database.connection() as connection:
        row = await connection.fetchrow(QUIESCENCE)
    assert row is not None
    waiting = dict(row)
    return reply({"quiet": not any(waiting.values()), **waiting})


@router.get("/inventory")
async def inventory(request: Request) -> Response:
    async with shop_of(request).database.connection() as connection:
        rows = await connection.fetch(INVENTORY)
    return reply([dict(row) for row in rows])
