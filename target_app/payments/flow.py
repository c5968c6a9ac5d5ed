"""The flow of a payment: intent, then the provider with no connection held, then its word."""

import logging
from typing import TYPE_CHECKING

from target_app.database.pool import UnavailableError, UnknownOutcomeError
from target_app.orders.states import Status
from target_app.payments.paying import Payment, PaymentAnswer, authorized, intend, paid, processing
from target_app.payments.provider_client import Charge, ChargeFinding, Declined, ProviderClient
from target_app.payments.steps import Step
from target_app.problems import ProblemError

if TYPE_CHECKING:
    from target_app.shop import Shop

log = logging.getLogger(__name__)


async def pay(shop: "Shop", payment: Payment, *, order_id: str, key: str) -> PaymentAnswer:
    """Charge for an order.

    Once the intent is committed, whatever goes wrong is "processing": the reconciliation will
    find out. In particular no trouble with our own books may be told as "nothing was done".
    """
    async with shop.change() as change:
        intent = await intend(
            change, payment, order_id=order_id, key=key, provider_key=shop.acts.provider_key
        )
    if isinstance(intent, PaymentAnswer):
        return intent
    shop.step(Step.INTENT_COMMITTED)
    finding = await shop.acts.charge(shop.provider, intent)
    shop.step(Step.PROVIDER_ANSWERED)
    try:
        status = await shop.book(intent, finding)
    except (UnavailableError, UnknownOutcomeError) as error:
        log.warning("%s: the provider's word is not booked yet: %s", intent.psp_key, error)
        return processing(order_id)
    shop.step(Step.OUTCOME_COMMITTED)
    if isinstance(finding, Declined):
        raise ProblemError(402, "card_declined")
    if status is Status.AUTHORIZED:
        return authorized(order_id, intent.amount)
    return paid(order_id, intent.amount) if status is Status.PAID else processing(order_id)


async def charge(provider: ProviderClient, intent: Charge) -> ChargeFinding:
    """Ask for the money, once: what comes of silence is for the reconciliation to find out."""
    return await provider.charge(intent)


def provider_key(order_id: str, attempt: int) -> str:
    """Return what the provider knows an attempt by, the same however often it is repeated."""
    return f"order:{order_id}:pay:{attempt}"
