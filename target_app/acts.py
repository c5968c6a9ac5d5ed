"""What the shop does, as a table of functions: `correct_acts` is the shop as it should be.

A planted flaw is this table with an act or two replaced, so the correct functions need not know
that there are wrong ones.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from target_app.jobs import JOBS, Jobs
from target_app.orders.cancelling import cancelled
from target_app.orders.checkout import CheckedOut, Checkout, check_out
from target_app.orders.holds import expire_one
from target_app.orders.states import Status
from target_app.orders.transitions import Change
from target_app.payments.findings import Captured, Charge, ChargeFinding, Declined
from target_app.payments.flow import charge, pay, provider_key
from target_app.payments.paying import Payment, PaymentAnswer, ProviderKey
from target_app.payments.provider_client import ProviderClient
from target_app.payments.settlement import book_capture, book_decline
from target_app.payments.webhooks import ProviderEvent, accept
from target_app.reservations import Reservations
from target_app.signatures import is_signed

if TYPE_CHECKING:
    from target_app.shop import Shop


class CheckOut(Protocol):
    """Creates an order, inside the caller's transaction."""

    async def __call__(
        self, change: Change, wish: Checkout, *, key: str, hold_s: float
    ) -> CheckedOut: ...


class Pay(Protocol):
    """The flow of a payment, with transactions of its own."""

    async def __call__(
        self, shop: "Shop", payment: Payment, *, order_id: str, key: str
    ) -> PaymentAnswer: ...


class BookCapture(Protocol):
    """What money that has arrived does to its order."""

    async def __call__(
        self, change: Change, *, order_id: str, psp_key: str, capture: Captured
    ) -> Status | None: ...


class BookDecline(Protocol):
    """What a definite no does to its order."""

    async def __call__(self, change: Change, *, psp_key: str, decline: Declined) -> None: ...


class IsGenuine(Protocol):
    """Whether a webhook comes from the provider."""

    def __call__(self, body: bytes, *, signature: str, secret: str) -> bool: ...


@dataclass(frozen=True)
class Acts:
    """The shop's replaceable acts.

    Attributes:
        reservations: The stock strategy.
        expire_one: End one hold that is due; False once there is none.
        cancel: Cancel an order on its buyer's wish.
        provider_key: What the provider knows an attempt to pay by.
        charge: One charge at the provider, by the payment flow or the reconciliation.
        jobs: What every replica does unasked.
    """

    reservations: Reservations
    check_out: CheckOut
    expire_one: Callable[[Change], Awaitable[bool]]
    cancel: Callable[[Change, str], Awaitable[dict[str, Any]]]
    pay: Pay
    provider_key: ProviderKey
    charge: Callable[[ProviderClient, Charge], Awaitable[ChargeFinding]]
    book_capture: BookCapture
    book_decline: BookDecline
    is_genuine: IsGenuine
    accept: Callable[["Shop", ProviderEvent], Awaitable[bool]]
    jobs: Jobs


def correct_acts(reservations: Reservations) -> Acts:
    return Acts(
        reservations=reservations,
        check_out=check_out,
        expire_one=expire_one,
        cancel=cancelled,
        pay=pay,
        provider_key=provider_key,
        charge=charge,
        book_capture=book_capture,
        book_decline=book_decline,
        is_genuine=is_signed,
        accept=accept,
        jobs=JOBS,
    )
