"""What the pages say, in a shopper's words: states of an order, and answers of the shop."""

from dataclasses import dataclass

from target_app.orders.states import Status


@dataclass(frozen=True)
class Standing:
    """How an order's page sums it up; `tone` is a class of the style sheet."""

    headline: str
    explanation: str
    tone: str = ""


STANDINGS = {
    Status.PENDING_PAYMENT: Standing("Waiting for payment", "The units are yours for another"),
    Status.PAYMENT_PROCESSING: Standing(
        "Payment under way",
        "Nobody knows yet whether the money has arrived. Do not pay again: this page asks on.",
    ),
    Status.AUTHORIZED: Standing("Payment authorised", "The money is set aside and not taken yet."),
    Status.PAID: Standing("Paid", "Thank you. The units are yours.", "good"),
    Status.FULFILLED: Standing("On its way", "Paid, and sent.", "good"),
    Status.EXPIRED: Standing(
        "Expired", "It was not paid for in time, and the units went back on sale.", "hot"
    ),
    Status.CANCELLED: Standing("Cancelled", "The units went back on sale."),
    Status.REFUND_PENDING: Standing("Being refunded", "The money is on its way back."),
    Status.PARTIALLY_REFUNDED: Standing("Partly refunded", "A part of the money went back."),
    Status.REFUNDED: Standing("Refunded", "All of the money went back."),
    Status.REVIEW: Standing("Being looked into", "Somebody in the shop decides what happens next."),
}
SETTLED = frozenset({Status.FULFILLED, Status.EXPIRED, Status.CANCELLED, Status.REFUNDED})
"""Nothing but a person's decision moves an order from here; its page need not look again."""

ASKING = {
    "asking": "Asking the shop…",
    "asking_again": "The shop is busy or does not answer. Asking again…",
    "refused": "The shop said no. Nothing was done.",
}
ORDERING = ASKING | {
    "undecided": "The shop has not answered, and may or may not have your order."
    " Asking again is safe: it counts as the same order.",
    "sold_out": "Too late: somebody else took the last units.",
    "not_started": "The sale has not begun yet.",
    "campaign_ended": "The sale has ended.",
    "paused": "The sale is paused. Nothing was ordered.",
    "limit_exceeded": "That is more than one buyer may have.",
    "admission_required": "Your turn is over. Nothing was ordered: join the line again.",
    "position_expired": "Your place in the line is gone: nothing was heard of this page for too"
    " long, or your turn passed. Join the line again.",
    "joining_again": "The line is busy or does not answer. Asking for a place again…",
    "not_in_line": "The line does not answer, and nobody knows whether you are in it."
    " Join again: if you are, you keep your place.",
    "waiting_room_unavailable": "The line does not answer. You keep your place; this page asks on.",
    "unknown_campaign": "This sale is over.",
    "unknown_sku": "This item is no longer for sale.",
}
PAYING = ASKING | {
    "undecided": "The shop has not answered, and may or may not have your money."
    " Asking again is safe: it counts as the same payment.",
    "card_declined": "The card was refused. The units are still yours: pay with another.",
    "order_expired": "Too late: the units went back on sale.",
    "payment_in_progress": "A payment is under way already.",
}
TROUBLES = {
    404: Standing("Nothing here", "There is no such item or order, or it was of an earlier sale."),
    503: Standing("The shop cannot answer", "It does not reach its books. This page tries again."),
}
