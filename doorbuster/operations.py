"""Operations as they are written down: one line when one starts, one when it ends, one per read.

These records are the columns that reports read; see `rundir` for the files they live in.
"""

from typing import Final, Literal

import msgspec

Outcome = Literal["ok", "fail", "info"]
"""`ok` took effect, `fail` certainly did not, `info` nobody can know."""

EFFECTS: Final = ("reserve", "pay", "cancel")
"""Operations that change the shop; their invocation is written before the first byte leaves."""

REQUEST: Final = "request"
"""Any request of a plain Locust file, of which nobody knows what it means."""

READS: Final = ("session", "view", "stock", "cart", "quote", "queue", "turn", "status", REQUEST)
"""Operations that move neither stock nor money; only counts, latencies and answers are kept.

`queue` asks for a place in the line before the checkout, `turn` whether it has got to the front.
"""

TELLING: Final = ("stock", "status")
"""Those of them whose answers are evidence."""

OPERATIONS: Final = (*READS, *EFFECTS)

REFUSALS: Final = frozenset(
    {"sold_out", "limit", "not_started", "ended", "expired", "shed", "declined", "waiting"}
)
"""Reasons of a `fail` that are a correct no: counted apart, never an error."""


SECOND: Final = "x2"
"""What the id of an operation ends in that doubles another: the same but for the `x2`."""


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One try of an operation, under the operation's one idempotency key.

    `sent_s` is None when no byte left; times are seconds on the run's clock.
    """

    outcome: Outcome
    ended_s: float
    sent_s: float | None = None
    reason: str | None = None
    status: int | None = None
    order_id: str | None = None


class OperationEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of `operations/*.ndjson`.

    `type` is `invoke` before the first byte leaves, then `ok`, `fail` or `info` with the attempts
    nested; or `read` for the answer to a stock or status question. An invocation without a
    completion is `info`. Times are seconds on the run's clock, negative during warm-up; money is
    integer minor units.

    Args:
        id: Unique in the run; joins an invocation to its completion.
        op: One of `OPERATIONS`.
        at_s: When the line was written: just before the send, at the outcome, or at the answer.
        due_s: When the journey wanted the operation.
        arrival: Which arrival of the plan the session is, from 0.
        client_ref: The order's reference, derived from (run, arrival, step); the same for the
            reserve, pay and cancel of one purchase.
        key: The idempotency key of this operation.
        amount: The total that the shop confirmed.
        state: For a status answer, the order's state in the shop's words.
        available: For a stock answer, with `reserved` and `sold`.
    """

    type: Literal["invoke", "ok", "fail", "info", "read"]
    id: str
    op: str
    at_s: float
    due_s: float | None = None
    arrival: int | None = None
    step: int | None = None
    persona: str | None = None
    user_ref: str | None = None
    client_ref: str | None = None
    key: str | None = None
    sku: str | None = None
    qty: int | None = None
    order_id: str | None = None
    reason: str | None = None
    amount: int | None = None
    attempts: tuple[Attempt, ...] = ()
    state: str | None = None
    available: int | None = None
    reserved: int | None = None
    sold: int | None = None
