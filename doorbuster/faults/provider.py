"""Faults of a payment provider that answers, but not as it should."""

from typing import Annotated, Final, Literal, get_args

from pydantic import Field, model_validator

from doorbuster.faults.kind import Kind
from doorbuster.quantities import Duration, Flag, Number, Rate, Share, Whole

Mode = Literal[
    "slow",
    "timeout_before",
    "timeout_after_capture",
    "reset_mid_response",
    "decline",
    "soft_5xx",
    "webhook_duplicate",
    "webhook_lost",
    "webhook_delay",
    "webhook_before_response",
    "webhook_reorder",
    "webhook_bad_signature",
    "brownout",
    "rate_limit",
    "no_idempotency",
    "auth_expired",
    "settlement_mismatch",
]
ProviderCall = Literal["charge", "confirm", "capture", "cancel", "refund", "query"]

TAKES: Final[dict[str, tuple[str, ...]]] = {
    "slow": ("delay", "sigma"),
    "timeout_after_capture": ("announce",),
    "reset_mid_response": ("announce",),
    "decline": ("code",),
    "soft_5xx": ("status", "effect", "announce"),
    "webhook_duplicate": ("copies", "concurrent"),
    "webhook_delay": ("delay", "sigma"),
    "webhook_reorder": ("delay",),
    "brownout": ("rate", "delay"),
    "rate_limit": ("rate",),
    "settlement_mismatch": ("difference",),
}
"""What each mode takes besides `share`, `first` and `calls`, which all take."""

MODES: Final[tuple[str, ...]] = get_args(Mode)
_FOR_ALL: Final = frozenset({"mode", "share", "first", "calls"})


class Respond(Kind):
    """The payment provider answers differently; a key that its mode does not take is refused.

    Args:
        mode: What an affected call or its event meets, such as `slow`, `timeout_after_capture`
            (takes the money and never answers), `soft_5xx`, `webhook_lost`.
        share: This share of the calls; all when neither `share` nor `first` is given.
        first: This many calls, then as before.
        calls: Which kinds of call; those of the mode unless given.
        delay: How late answers or events are; the longest wait in a brownout.
        sigma: Spreads the delay lognormally around `delay`.
        code: Why cards are declined.
        status: Which 5xx; `effect` means that the charge was booked before it.
        announce: Whether the event of a charge that was not answered is sent all the same.
        copies: How often an event is sent; `concurrent` sends the copies at the same time.
        rate: Calls that are served; those above it are refused or, in a brownout, wait.
        difference: How the settlement file is wrong.
    """

    mode: Mode
    share: Share | None = None
    first: Annotated[Whole, Field(ge=1)] | None = None
    calls: Annotated[tuple[ProviderCall, ...], Field(min_length=1)] | None = None
    delay: Duration | None = None
    sigma: Annotated[Number, Field(ge=0, le=3)] | None = None
    code: Annotated[str, Field(min_length=1)] | None = None
    status: Literal[500, 502, 503, 504] | None = None
    effect: Flag | None = None
    announce: Flag | None = None
    copies: Annotated[Whole, Field(ge=2, le=100)] | None = None
    concurrent: Flag | None = None
    rate: Rate | None = None
    difference: Literal["amount", "missing", "double"] | None = None

    @model_validator(mode="after")
    def _keys_of_its_mode(self) -> "Respond":
        takes = TAKES.get(self.mode, ())
        for key in sorted(self.model_fields_set - _FOR_ALL):
            if key not in takes and getattr(self, key) is not None:
                known = ", ".join(("share", "first", "calls", *takes))
                raise ValueError(f"{self.mode} takes {known}, not {key}")
        return self
