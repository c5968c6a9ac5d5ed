"""The one place where what came back, or did not, becomes ok, fail or info."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from doorbuster.operations import Attempt, Outcome

Cause = Literal[
    "refused",
    "unreachable",
    "untrusted",
    "timeout",
    "reset",
    "eof",
    "malformed",
    "too_large",
    "redirect_refused",
]
"""Why there is no answer. `refused`, `unreachable` and `untrusted` come only from connecting."""

_UNSENT: Final[dict[Cause, str]] = {"refused": "refused_connection", "untrusted": "untrusted"}

INFO_NOT_FINAL: Final = "pending"
INFO_STOPPED: Final = "stopped"


class Answer(msgspec.Struct, frozen=True):
    """A whole HTTP response, its body decoded. Times are seconds on the run's clock."""

    status: int
    body: bytes
    sent_s: float
    ended_s: float
    headers: Sequence[tuple[bytes, bytes]] = ()

    def header(self, name: str) -> str | None:
        """Return the first header called `name`, in whatever case; None if there is none."""
        return next(iter(self.header_values(name)), None)

    def header_values(self, name: str) -> list[str]:
        """Return all headers called `name`, such as the several Set-Cookie of one response."""
        wanted = name.lower().encode("ascii")
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == wanted]


class NoAnswer(msgspec.Struct, frozen=True):
    """No whole response came; `sent_s` is None when no byte of the request left."""

    cause: Cause
    sent_s: float | None
    ended_s: float


Reply = Answer | NoAnswer


class Extracted(msgspec.Struct, frozen=True):
    """What an answer said, in our words; money in integer minor units."""

    order_id: str | None = None
    amount: int | None = None
    state: str | None = None
    available: int | None = None
    reserved: int | None = None
    sold: int | None = None


NOTHING: Final = Extracted()


class Judgement(msgspec.Struct, frozen=True):
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
        reason = _UNSENT.get(silence.cause, "not_connected")
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
