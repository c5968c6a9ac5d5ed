"""What an operator does to a campaign that runs."""

from fastapi import APIRouter, Depends, Request, Response

from target_app.campaigns import PromotionSet, pause, replace_promotions, resume
from target_app.problems import parse, reply
from target_app.web.contract import problems, takes
from target_app.web.ops import operator
from target_app.web.requests import shop_of

router = APIRouter(
    prefix="/ops/campaigns/{campaign_id}",
    tags=["ops"],
    dependencies=[Depends(operator)],
    responses=problems(401, 404, 409, 422, 500, 503),
)


@router.post("/pause", status_code=202)
async def pause_campaign(request: Request, campaign_id: str) -> Response:
    """Stop all checkouts of a campaign; pages of other replicas say so within a second."""
    shop = shop_of(request)
    async with shop.database.transaction() as connection:
        await pause(connection, campaign_id)
    shop.catalogue.forget()
    return reply({"id": campaign_id, "paused": True}, status=202)


@router.post("/resume", status_code=202)
async def resume_campaign(request: Request, campaign_id: str) -> Response:
    shop = shop_of(request)
    async with shop.database.transaction() as connection:
        await resume(connection, campaign_id)
    shop.catalogue.forget()
    return reply({"id": campaign_id, "paused": False}, status=202)


@router.put("/promotions", openapi_extra=takes(PromotionSet))
async def put_promotions(request: Request, campaign_id: str) -> Response:
    """Replace the promotions of a campaign; what was quoted before must be quoted again."""
    shop = shop_of(request)
    wanted = parse(await request.body(), PromotionSet)
    async with shop.database.transaction() as connection:
        rules, warnings = await replace_promotions(
            connection, shop.catalogue.rule_book, wanted.promotions, campaign=campaign_id
        )
    shop.catalogue.forget()
    return reply({"promotion_version": rules.version, "warnings": warnings})
