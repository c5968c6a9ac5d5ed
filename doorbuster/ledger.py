"""The books: the shop's own final record and the payment provider's, row by row.

The names are those an adapter must produce; money is integer minor units, times RFC 3339 UTC.
"""

from typing import Final, Literal

import msgspec


class LedgerOrder(msgspec.Struct, frozen=True):
    """One order as the shop has it after the run."""

    order_id: str
    client_ref: str
    user_ref: str
    status: str
    total: int
    currency: str
    created_at: str
    updated_at: str
    version: int


class LedgerLine(msgspec.Struct, frozen=True):
    """One line of an order."""

    order_id: str
    sku: str
    qty: int
    unit_price: int


class LedgerStock(msgspec.Struct, frozen=True):
    """The stock counters of one SKU; `adjusted` is what was added or taken besides sales."""

    sku: str
    initial: int
    adjusted: int
    available: int
    reserved: int
    sold: int


class LedgerReservation(msgspec.Struct, frozen=True):
    """One hold on stock; `state` is active, claimed, released or expired."""

    reservation_id: str
    order_id: str
    sku: str
    qty: int
    state: str
    expires_at: str


class LedgerPayment(msgspec.Struct, frozen=True):
    """One payment attempt.

    `state` is created, processing, authorized, capturing, captured, declined, voiding, voided,
    failed, refunded, or waived where there was nothing to pay.
    """

    payment_id: str
    order_id: str
    psp_key: str
    psp_ref: str | None
    state: str
    amount: int
    created_at: str


class LedgerRefund(msgspec.Struct, frozen=True):
    """Money that the shop gives back, or means to; `restock` puts the units on sale again."""

    refund_id: str
    order_id: str
    psp_key: str
    amount: int
    restock: bool
    state: str
    created_at: str


class LedgerEvent(msgspec.Struct, frozen=True):
    """One transition of an order."""

    order_id: str
    seq: int
    from_status: str | None
    to_status: str
    at: str


class LedgerAlert(msgspec.Struct, frozen=True):
    """The moment at which a SKU had come down to its `low_stock_at`, and what was left then."""

    sku: str
    at: str
    available: int


class LedgerSale(msgspec.Struct, frozen=True):
    """When the sale was open, by the shop's own clock."""

    id: str
    starts_at: str
    ends_at: str | None
    promotion_version: str


class LedgerOffer(msgspec.Struct, frozen=True):
    """What one unit cost in the sale and outside of it, and how many one user might have."""

    sku: str
    price: int
    list_price: int
    limit_per_user: int | None


class LedgerPromotion(msgspec.Struct, frozen=True):
    """One pricing rule of one version of the rules; `rule` is JSON."""

    version: str
    promotion_id: str
    kind: str
    rule: str


class LedgerCoupon(msgspec.Struct, frozen=True):
    """One coupon and how often it was claimed; `rule` is JSON."""

    code: str
    rule: str
    usage_limit: int | None
    per_user_limit: int
    claimed: int


class LedgerCouponClaim(msgspec.Struct, frozen=True):
    """What one user has of one coupon, and how much of it is spent."""

    code: str
    user_ref: str
    claimed: int
    used: int
    claimed_at: str


class LedgerCouponUse(msgspec.Struct, frozen=True):
    """One coupon on one order; `state` says whether it still is."""

    order_id: str
    code: str
    user_ref: str
    state: str


class LedgerPricing(msgspec.Struct, frozen=True):
    """By which rules one order was priced, so that its total can be computed again."""

    order_id: str
    quote_id: str | None
    promotion_version: str
    tier: str
    coupons: str
    subtotal: int
    priced_at: str


class LedgerDiscount(msgspec.Struct, frozen=True):
    """What one rule took off one SKU of one order."""

    order_id: str
    rule: str
    sku: str
    step: str
    amount: int


class ProviderCharge(msgspec.Struct, frozen=True):
    """One charge in the provider's book; `merchant_ref` is the shop's order id."""

    charge_id: str
    merchant_ref: str
    psp_key: str
    amount: int
    currency: str
    state: Literal["authorized", "captured", "voided", "declined"]
    created_at: str


class ProviderRefund(msgspec.Struct, frozen=True):
    """One refund in the provider's book."""

    refund_id: str
    charge_id: str
    amount: int
    created_at: str


LEDGER_TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "orders": LedgerOrder,
    "order_lines": LedgerLine,
    "stock": LedgerStock,
    "reservations": LedgerReservation,
    "payments": LedgerPayment,
    "order_refunds": LedgerRefund,
    "order_events": LedgerEvent,
    "alerts": LedgerAlert,
    "sales": LedgerSale,
    "offers": LedgerOffer,
    "promotions": LedgerPromotion,
    "coupons": LedgerCoupon,
    "coupon_claims": LedgerCouponClaim,
    "coupon_uses": LedgerCouponUse,
    "order_pricing": LedgerPricing,
    "order_discounts": LedgerDiscount,
}
"""File stem under `ledger/` to the record that each of its lines holds."""

PROVIDER_TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "charges": ProviderCharge,
    "refunds": ProviderRefund,
}
"""File stem under `provider/` to the record that each of its lines holds."""

SOLD: Final = frozenset({"paid", "fulfilled", "partially_refunded"})
"""Order states in which goods are owed; part of the price may have been given back."""

PAYABLE: Final = frozenset({"pending_payment", "payment_processing", "authorized"})
"""Order states that still hold stock."""
