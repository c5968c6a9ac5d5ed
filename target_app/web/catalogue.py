"""What everybody reloads: products and the campaign, with tags so that a reload may cost little."""

import hashlib
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from target_app.catalogue import CAMPAIGN, Product, Snapshot
from target_app.instants import rfc3339
from target_app.orders.checkout import CURRENCY
from target_app.pricing.rules import TIERS
from target_app.problems import ProblemError, reply
from target_app.web.contract import problems
from target_app.web.requests import shop_of

router = APIRouter(prefix="/v1", tags=["catalogue"], responses=problems(422, 429, 503))

PAGE_SIZE = 20
UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Still what `If-None-Match` says"}
}


@router.get("/products", responses=UNCHANGED)
async def products(
    request: Request,
    category: str | None = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    snapshot = await shop_of(request).catalogue.snapshot()
    found = [
        each for each in snapshot.products.values() if category is None or each.category == category
    ]
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    body = {
        "products": [_product(each) for each in shown],
        "page": page,
        "pages": -(-len(found) // PAGE_SIZE),
        "total": len(found),
    }
    return _tagged(request, body)


@router.get("/products/{sku}", responses=problems(404) | UNCHANGED)
async def product(request: Request, sku: str) -> Response:
    snapshot = await shop_of(request).catalogue.snapshot()
    found = snapshot.products.get(sku)
    if found is None:
        raise ProblemError(404, "unknown_sku", details={"sku": sku})
    body = {
        **_product(found),
        "campaign": snapshot.campaign(),
        "promotions": snapshot.promotions_on(sku),
    }
    return _tagged(request, body)


@router.get("/campaigns/{campaign_id}", responses=problems(404))
async def campaign(request: Request, campaign_id: Annotated[str, Path()]) -> Response:
    snapshot = await shop_of(request).catalogue.snapshot()
    if campaign_id != CAMPAIGN or snapshot.starts_at is None:
        raise ProblemError(404, "unknown_campaign")
    return reply(
        {
            "id": CAMPAIGN,
            **snapshot.campaign(),
            "server_time": rfc3339(snapshot.now()),
            "early_access": _early_access(snapshot),
            "skus": list(snapshot.products),
            "offers": [
                {
                    "sku": each.sku,
                    "price": each.price,
                    "currency": CURRENCY,
                    "limit_per_user": each.limit_per_user,
                }
                for each in snapshot.products.values()
            ],
        }
    )


def _product(product: Product) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "title": product.title,
        "category": product.category,
        "price": product.price,
        "list_price": product.price if product.list_price is None else product.list_price,
        "currency": CURRENCY,
        "badge": product.badge(),
        "limit_per_user": product.limit_per_user,
        "stock_hint": product.stock_hint,
    }


def _early_access(snapshot: Snapshot) -> dict[str, str]:
    """Return when each tier may begin that need not wait for everybody."""
    if snapshot.rules is None:
        return {}
    opens_at = {tier: snapshot.rules.opens_at(tier) for tier in TIERS}
    return {tier: rfc3339(at) for tier, at in opens_at.items() if at < snapshot.rules.starts_at}


def _tagged(request: Request, body: object) -> Response:
    """Answer 304 to whoever has this very content already."""
    content = msgspec.json.encode(body)
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    held = request.headers.get("if-none-match")
    if held is not None and _matches(held, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def _matches(held: str, tag: str) -> bool:
    """Compare weakly, as RFC 9110 has it for `If-None-Match`: a cache may have weakened the tag."""
    tags = [each.strip().removeprefix("W/") for each in held.split(",")]
    return tag in tags or tags == ["*"]
