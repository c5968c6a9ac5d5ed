"""What a cart would cost, item by item, and for how long that holds."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response

from target_app.carts.storing import cart
from target_app.catalogue import CAMPAIGN
from target_app.orders.checkout import CURRENCY
from target_app.pricing.quote import Cart, CartLine
from target_app.pricing.quoting import current_rules, expiry, priced, store_quote
from target_app.pricing.rules import Label, Name
from target_app.problems import parse, reply
from target_app.web.contract import problems, takes
from target_app.web.members import member_of
from target_app.web.requests import shop_of

router = APIRouter(prefix="/v1/pricing", tags=["pricing"])

Coupons = Annotated[tuple[Name, ...], msgspec.Meta(max_length=20)]


class QuoteWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be priced: lines, or those of a cart; one of the two."""

    lines: Annotated[tuple[CartLine, ...], msgspec.Meta(min_length=1, max_length=20)] | None = None
    cart_id: Label | None = None
    coupons: Coupons = ()

    def __post_init__(self) -> None:
        if (self.lines is None) == (self.cart_id is None):
            raise ValueError("give either `lines` or `cart_id`")


@router.post(
    "/quote",
    openapi_extra=takes(QuoteWish),
    responses=problems(401, 404, 409, 422, 429, 500, 503),
)
async def quote(request: Request) -> Response:
    """Price a cart for whoever sends it; a member's tier counts, and their coupons are theirs."""
    shop = shop_of(request)
    member = member_of(request)
    wish = parse(await request.body(), QuoteWish)
    async with shop.database.transaction() as connection:
        rules, at = await current_rules(connection, shop.catalogue.rule_book, sale=CAMPAIGN)
        lines = wish.lines
        if lines is None:
            assert wish.cart_id is not None
            lines = (await cart(connection, wish.cart_id)).lines
        wanted = Cart(lines, wish.coupons)
        found = priced(wanted, rules, at=at, tier=member.tier if member else "standard")
        expires_at = expiry(at, ttl_s=shop.settings.quote_ttl_s)
        body = await store_quote(connection, wanted, found, member=member, expires_at=expires_at)
    return reply({**body, "currency": CURRENCY})
