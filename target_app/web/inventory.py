"""What operators ask about stock: which SKUs run low, and whether all counts agree."""

from fastapi import APIRouter, Depends, Request, Response

from target_app.instants import rfc3339
from target_app.problems import reply
from target_app.reservations.stocktake import stocktake
from target_app.web.contract import problems
from target_app.web.ops import operator
from target_app.web.requests import shop_of

ALERTS = "SELECT sku, at, available FROM alerts ORDER BY at, sku"

router = APIRouter(
    prefix="/ops", tags=["ops"], dependencies=[Depends(operator)], responses=problems(401, 503)
)


@router.get("/alerts")
async def alerts(request: Request) -> Response:
    """List the SKUs that have come down to their `low_stock_at`, with the moment they did."""
    async with shop_of(request).database.connection() as connection:
        rows = await connection.fetch(ALERTS)
    return reply([{**row, "at": rfc3339(row["at"])} for row in rows])


@router.post("/stocktake")
async def take_stock(request: Request) -> Response:
    """Count the stock in every way there is. Nothing is changed."""
    shop = shop_of(request)
    async with shop.database.connection() as connection:
        return reply(await stocktake(connection, shop.reservations))
