"""The sale as pages for people, who order and pay through the public API that everybody uses.

Each page is one answer with style and script in it: at T0 a crowd loads it, and loads nothing else.
The policy names exactly that style and that script, so that no other can run.
"""

import base64
import hashlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from target_app.catalogue import CAMPAIGN, Product, Snapshot
from target_app.database.pool import UnavailableError
from target_app.instants import rfc3339
from target_app.orders.checkout import CURRENCY
from target_app.orders.reading import order_by_id
from target_app.orders.states import Status
from target_app.problems import ProblemError
from target_app.web.page_words import ORDERING, PAYING, SETTLED, STANDINGS, TROUBLES
from target_app.web.requests import shop_of

QTY_MAX = 10
RETRY_AFTER_S = 3

Answer = Callable[[Request], Coroutine[Any, Any, Response]]


def money(minor_units: int) -> str:
    return f"{minor_units // 100:,}.{minor_units % 100:02d} {CURRENCY}"


def day_time(at: str) -> str:
    """Word an instant for whoever has no script to do it in their own time zone."""
    return f"{datetime.fromisoformat(at):%d %b %Y, %H:%M:%S} UTC"


def countdown(left: timedelta) -> str:
    left_s = max(0, -(-left // timedelta(seconds=1)))
    days, rest_s = divmod(left_s, 86400)
    clock = f"{rest_s // 3600:02d}:{rest_s // 60 % 60:02d}:{rest_s % 60:02d}"
    return f"{days} d {clock}" if days else clock


def _hidden_unless(state: str, *wanted: str) -> str:
    return "" if state in wanted else "hidden"


TEMPLATES = Environment(
    loader=PackageLoader("target_app.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(money=money, day_time=day_time)
TEMPLATES.globals["hidden_unless"] = _hidden_unless


def _source(*names: str) -> Markup:
    """Return our own files as they are; nothing that anybody else wrote is in them."""
    loader = TEMPLATES.loader
    assert loader is not None
    return Markup("".join(loader.get_source(TEMPLATES, name)[0] for name in names))


def _fingerprint(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


STYLE = _source("shop.css")
SCRIPTS = {
    "front": _source("shop.js", "front.js"),
    "sale": _source("shop.js", "line.js", "sale.js"),
    "order": _source("shop.js", "order.js"),
}
POLICY = (
    "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    f"frame-ancestors 'none'; style-src {_fingerprint(STYLE)}; script-src "
) + " ".join(_fingerprint(script) for script in SCRIPTS.values())
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _page(name: str, *, script: str = "", status: int = 200, **shown: Any) -> HTMLResponse:
    text = TEMPLATES.get_template(f"{name}.html.j2").render(style=STYLE, script=script, **shown)
    return HTMLResponse(text, status, headers=HEADERS)


class PageRoute(APIRoute):
    """A route whose refusals are pages too; a browser comes back by itself to an absent shop."""

    def get_route_handler(self) -> Answer:
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await answer(request)
            except ProblemError as error:
                return _trouble(error.status)
            except UnavailableError:
                absent = _trouble(503)
                absent.headers["Retry-After"] = absent.headers["Refresh"] = str(RETRY_AFTER_S)
                return absent

        return answered


def _trouble(status: int) -> Response:
    trouble = TROUBLES[status]
    return _page(
        "trouble", status=status, headline=trouble.headline, explanation=trouble.explanation
    )


router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get("/")
async def front(request: Request) -> Response:
    snapshot = await shop_of(request).catalogue.snapshot()
    if snapshot.starts_at is None:
        return _page("front", items=())
    items = tuple(snapshot.products.values())
    return _page("front", script=SCRIPTS["front"], items=items, **_campaign(snapshot))


@router.get("/sale/{sku:path}")
async def sale(request: Request, sku: str) -> Response:
    shop = shop_of(request)
    snapshot = await shop.catalogue.snapshot()
    item = snapshot.products.get(sku)
    if item is None or snapshot.starts_at is None:
        raise ProblemError(404, "unknown_sku")
    return _page(
        "sale",
        script=SCRIPTS["sale"],
        item=item,
        qty_max=min(QTY_MAX, item.limit_per_user or QTY_MAX),
        promotions=snapshot.promotions_on(sku),
        campaign_id=CAMPAIGN,
        has_line=shop.room is not None,
        told=ORDERING,
        **_campaign(snapshot, item),
    )


@router.get("/orders/{order_id}/page")
async def order(request: Request, order_id: str) -> Response:
    shop = shop_of(request)
    async with shop.database.connection() as connection:
        found = await order_by_id(connection, order_id)
    if found is None:
        raise ProblemError(404, "unknown_order")
    snapshot = await shop.catalogue.snapshot()
    status = Status(found["status"])
    standing = STANDINGS[status]
    return _page(
        "order",
        script=SCRIPTS["order"],
        order=found,
        headline=standing.headline,
        explanation=standing.explanation,
        tone=standing.tone,
        settled=status in SETTLED,
        told=PAYING,
        **_account(found, snapshot),
    )


def _campaign(snapshot: Snapshot, item: Product | None = None) -> dict[str, Any]:
    """Return the campaign as pages show it; what is live with nothing left is sold out."""
    assert snapshot.starts_at is not None
    campaign, now = snapshot.campaign(), snapshot.now()
    state = {"scheduled": "before", "preheat": "before"}.get(campaign["phase"], campaign["phase"])
    if state == "live" and item is not None and item.stock_hint <= 0:
        state = "sold-out"
    return {
        "state": state,
        "starts_at": campaign["starts_at"],
        "ends_at": campaign["ends_at"],
        "opens_in": countdown(snapshot.starts_at - now),
        "server_time": rfc3339(now),
    }


def _account(found: dict[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    """Return an order's lines, what was taken off them, its hold and its history."""
    lines = [
        {
            "title": product.title if (product := snapshot.products.get(line["sku"])) else "A gift",
            "qty": line["qty"],
            "amount": line["qty"] * line["unit_price"],
        }
        for line in msgspec.json.decode(found["lines"])
    ]
    held_until, at = (
        datetime.fromisoformat(instant)
        for instant in (found["reservation"]["expires_at"], found["server_time"])
    )
    return {
        "lines": lines,
        "discount": sum(line["amount"] for line in lines) - found["total"],
        "held_for": countdown(held_until - at),
        "events": [
            {"words": _happened(event), "at": event["at"]}
            for event in msgspec.json.decode(found["events"])
        ],
    }


def _happened(event: dict[str, Any]) -> str:
    if event["from"] is None:
        return "Ordered"
    before, after = Status(event["from"]), Status(event["to"])
    if (before, after) == (Status.PAYMENT_PROCESSING, Status.PENDING_PAYMENT):
        return "Not paid"
    return STANDINGS[after].headline
