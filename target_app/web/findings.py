"""What people have to look at: where the provider's books and ours differ, and since when."""

from fastapi import APIRouter, Depends, Request, Response

from target_app.problems import reply
from target_app.reconciliation.mismatches import standing
from target_app.web.contract import problems
from target_app.web.ops import operator
from target_app.web.requests import shop_of

router = APIRouter(
    prefix="/ops", tags=["ops"], dependencies=[Depends(operator)], responses=problems(401, 503)
)


@router.get("/findings")
async def findings(request: Request) -> Response:
    """List what differs, the oldest first; nothing was compared before `read_at` says so."""
    async with shop_of(request).database.connection() as connection:
        return reply(await standing(connection))
