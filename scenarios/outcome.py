"""The one place where what came back, or did not, becomes ok, fail or info."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from doorbuster.operations import Attempt, Outcome

Headers = Sequence[tuple[bytes, bytes]]
"""Names and values as they came, in their order; a name can come more than once."""

Cause = Literal["refused", "unreachable", "timeout", "reset", "eof", "malformed", "too_large"]
"""Why there is no answer. `refused` and `unreachable` come only from connecting."""

INFO_NOT_FINAL: Final = "pending"
INFO_STOPPED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response. Times are seconds on the run's clock."""

    status: int
    body: bytes
    sent_s: float
    ended_s: float
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """No whole response came; `sent_s` is None when no byte of the request left."""

    cause: Cause
    sent_s: float | None
    ended_s: float


Reply = Answer | NoAnswer


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an answer said, in our words; money in integer minor units."""

    order_id: str | None = None
    amount: int | None = None
    state: str | None = None
    available: int | None = None
    reserved: int | None = None
    sold: int | None = None


NOTHING: Final = Extracted()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one reply means; `pending` has to be asked after until it is final.

    `next` is no outcome yet: the operation's next request goes on. `retry` says that trying again
    under the same key can help.
    """

    outcome: Outcome | Literal["pending", "next"]
    reason: str | None = None
    retry: bool = False
    extracted: Extracted = NOTHING


def judge_silence(silence: NoAnswer) -> Judgement:
    """Judge a request without an answer: only if no byte of it left, it certainly did nothing.

    A refused upstream behind a proxy looks like a connection that opens and ends, so that is
    `info`, and so is the end of a kept-alive connection before the first byte of an answer.
    """
    if silence.sent_s is None:
        reason = "refused_connection" if silence.cause == "refused" else "not_connected"
        return Judgement("fail", reason, retry=True)
    return Judgement("info", silence.cause, retry=True)


def unmapped(status: int) -> Judgement:
    """Judge an answer for which the adapter has no rule: nobody can know."""
    return Judgement("info", f"http_{status}", retry=True)


def of_operation(attempts: Sequence[Attempt]) -> tuple[Outcome, str | None]:
    """Return outcome and reason of an operation: ok if any attempt was, fail if all certainly were.

    An attempt that nobody can know leaves the operation unknown, whatever a later one was told:
    the shop's "sold out" may be about the unit that the first attempt took.
    """
    if any(attempt.outcome == "ok" for attempt in attempts):
        return "ok", None
    unknown = [attempt for attempt in attempts if attempt.outcome == "info"]
    if unknown or not attempts:
        return "info", unknown[-1].reason if unknown else INFO_STOPPED
    return "fail", attempts[-1].reason
