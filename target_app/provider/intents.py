"""What a charge is: its states, the bodies that ask for one, and how it is shown."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec

Amount = Annotated[int, msgspec.Meta(ge=0)]
PositiveAmount = Annotated[int, msgspec.Meta(ge=1)]
CaptureMethod = Literal["automatic", "manual"]


class State(StrEnum):
    """Where a charge stands. Only `captured` is money.

    ```
    created ──► authorized ──► captured
       │            └────────► voided
       ├──────────────► captured   (automatic capture)
       ├──────────────► declined
       └──────────────► voided
    ```
    """

    CREATED = "created"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    VOIDED = "voided"
    DECLINED = "declined"


STATUS = {
    State.CREATED: "requires_confirmation",
    State.AUTHORIZED: "requires_capture",
    State.CAPTURED: "succeeded",
    State.VOIDED: "canceled",
    State.DECLINED: "declined",
}
"""The states in the words that providers use in their answers."""


class Intent(msgspec.Struct, frozen=True):
    """The body of a charge: taken at once, or held until captured or cancelled."""

    merchant_ref: str
    amount: Amount
    currency: str
    method: str
    confirm: bool = True
    capture_method: CaptureMethod = "automatic"

    @property
    def fingerprint(self) -> str:
        """What a repeated key has to repeat."""
        return " ".join(map(str, msgspec.structs.astuple(self)))


class Capture(msgspec.Struct, frozen=True):
    """The body of a capture: all that was authorised, unless less is asked for."""

    amount: PositiveAmount | None = None


class Refund(msgspec.Struct, frozen=True):
    """The body of a refund."""

    intent_id: str
    amount: PositiveAmount


def public_intent(charge: dict[str, Any]) -> dict[str, Any]:
    """Show a row of the book as its merchant sees it."""
    state = State(charge["state"])
    return {
        "id": charge["charge_id"],
        "merchant_ref": charge["merchant_ref"],
        "psp_key": charge["psp_key"],
        "status": STATUS[state],
        "amount": charge["captured_amount"] if state is State.CAPTURED else charge["amount"],
        "amount_authorized": charge["amount"],
        "currency": charge["currency"],
        "capture_method": charge["capture_method"],
        "captured": state is State.CAPTURED,
        "decline_code": charge["decline_code"],
    }


def public_refund(refund: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": refund["refund_id"],
        "intent_id": refund["charge_id"],
        "amount": refund["amount"],
        "status": "succeeded",
    }
