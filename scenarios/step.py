"""A step of a journey: one operation that a shopper wants, with everything its request needs."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from doorbuster.operations import EFFECTS, Attempt, Outcome
from scenarios.outcome import Extracted

CARD: Final = "card"


class Step(msgspec.Struct):  # every request makes one, and a dataclass takes five times as long
    """One operation under one idempotency key; `due_s` is when the journey wanted it.

    `client_ref` is that of the purchase: its reserve, pay and cancel carry the same one. `method`
    is what a payment is made with; `user` is the shopper's row in the users of one's own; `carried`
    is what answers told the session to carry on.
    """

    id: str
    op: str
    arrival: int
    number: int
    persona: str
    user_ref: str
    due_s: float
    sku: str | None = None
    qty: int | None = None
    client_ref: str | None = None
    key: str | None = None
    order_id: str | None = None
    method: str = CARD
    channel: str = "web"
    user_type: str = "returning"
    user: Mapping[str, str] = msgspec.field(default_factory=dict)
    carried: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def has_effect(self) -> bool:
        return self.op in EFFECTS


class Result(msgspec.Struct):
    """How a step ended: its outcome, when, and what the shop said.

    `service_from_s` is the send of the attempt that ended it (its start, if nothing was sent);
    `asked_s` is how long its last answer asked to wait.
    """

    outcome: Outcome
    reason: str | None
    ended_s: float
    service_from_s: float
    attempts: tuple[Attempt, ...]
    extracted: Extracted
    asked_s: float | None = None
