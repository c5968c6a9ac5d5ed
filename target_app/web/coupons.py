"""Grabbing one of a limited number of coupons."""

from fastapi import APIRouter, Request, Response

from target_app.coupons.claiming import claim
from target_app.problems import reply
from target_app.web.contract import problems
from target_app.web.members import required_member
from target_app.web.requests import shop_of

router = APIRouter(prefix="/v1/coupons", tags=["coupons"])


@router.post(
    "/{code}/claim", status_code=201, responses=problems(401, 404, 409, 422, 429, 500, 503)
)
async def claim_coupon(request: Request, code: str) -> Response:
    """Claim a coupon for the member of this session.

    Somebody whose answer was lost may ask again: `already_claimed` then says that they have it.
    """
    member = required_member(request)
    async with shop_of(request).database.transaction() as connection:
        claimed = await claim(connection, code, user_ref=member.customer)
    return reply({"code": code, "customer": member.customer, "claimed": claimed}, status=201)
