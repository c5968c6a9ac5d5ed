"""Carts, by an id that whoever shops has made up."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from target_app.carts.storing import Lines, cart, emptied, put_lines
from target_app.pricing.quote import CartLine
from target_app.problems import ProblemError, parse, reply
from target_app.web.contract import problems, takes
from target_app.web.requests import shop_of

router = APIRouter(prefix="/v1/carts", tags=["carts"])

VERSION_MAX = 2**31 - 1
CartId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._~-]+$")]
SeenVersion = Annotated[int | None, Query(ge=0, le=VERSION_MAX)]


class CartItems(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All lines of a cart, and the version of it that they are to replace."""

    lines: Lines
    version: Annotated[int, msgspec.Meta(ge=0, le=VERSION_MAX)] | None = None


@router.get("/{cart_id}/items", responses=problems(404, 422, 429, 503))
async def items(request: Request, cart_id: CartId) -> Response:
    async with shop_of(request).database.connection() as connection:
        return reply(await cart(connection, cart_id))


@router.put(
    "/{cart_id}/items",
    openapi_extra=takes(CartItems),
    responses=problems(404, 409, 422, 429, 500, 503),
)
async def put_items(request: Request, cart_id: CartId) -> Response:
    shop = shop_of(request)
    wanted = parse(await request.body(), CartItems)
    known = (await shop.catalogue.snapshot()).products
    _refuse_unsaleable(wanted.lines, known)
    async with shop.database.transaction() as connection:
        return reply(await put_lines(connection, cart_id, wanted.lines, seen=wanted.version))


@router.delete("/{cart_id}/items", responses=problems(404, 409, 422, 429, 500, 503))
async def delete_items(request: Request, cart_id: CartId, version: SeenVersion = None) -> Response:
    async with shop_of(request).database.transaction() as connection:
        return reply(await emptied(connection, cart_id, seen=version))


def _refuse_unsaleable(lines: Iterable[CartLine], known: Iterable[str]) -> None:
    seen: set[str] = set()
    for line in lines:
        if line.sku not in known:
            raise ProblemError(404, "unknown_sku", details={"sku": line.sku})
        if line.sku in seen:
            raise ProblemError(422, "invalid_body", details={"detail": "one line for each SKU"})
        seen.add(line.sku)
