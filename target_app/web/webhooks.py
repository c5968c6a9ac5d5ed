"""What the payment provider calls."""

from fastapi import APIRouter, Request, Response

from target_app.payments.webhooks import ProviderEvent
from target_app.problems import ProblemError, parse, reply
from target_app.signatures import SIGNATURE_HEADER
from target_app.web.contract import problems, takes
from target_app.web.requests import shop_of

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])


@router.post(
    "/psp", openapi_extra=takes(ProviderEvent), responses=problems(400, 422, 429, 500, 503)
)
async def provider_event(request: Request) -> Response:
    shop = shop_of(request)
    body = await request.body()
    signature = request.headers.get(SIGNATURE_HEADER, "")
    secret = shop.settings.webhook_secret
    if not shop.acts.is_genuine(body, signature=signature, secret=secret):
        raise ProblemError(400, "bad_signature")
    event = parse(body, ProviderEvent)
    fresh = await shop.acts.accept(shop, event)
    return reply({"event": event.id, "duplicate": not fresh})
