"""How the provider can be told to behave: modes, whom they affect, and what each one takes."""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec


class Call(StrEnum):
    """What is asked of the provider. A query is any reading but that of the whole book."""

    CHARGE = "charge"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    QUERY = "query"


class Mode(StrEnum):
    """What an affected call, or the event of one, meets.

    Turned away, before anything is booked: `rate_limit` answers 429 above a rate, `brownout` lets
    calls queue for that rate and answers 429 where the wait grows too long, `timeout_before`
    never answers, `soft_5xx` answers 5xx.

    Booked otherwise: `decline` refuses the card, `auth_expired` voids a charge that is to be
    captured, `no_idempotency` books a repeated key again.

    Booked, and answered badly: `slow` after a delay, `timeout_after_capture` never,
    `reset_mid_response` half, `soft_5xx` with `effect` wrongly.

    Announced badly: the `webhook_...` modes. Told otherwise later: `settlement_mismatch`.
    """

    NORMAL = "normal"
    SLOW = "slow"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER_CAPTURE = "timeout_after_capture"
    RESET_MID_RESPONSE = "reset_mid_response"
    DECLINE = "decline"
    SOFT_5XX = "soft_5xx"
    WEBHOOK_DUPLICATE = "webhook_duplicate"
    WEBHOOK_LOST = "webhook_lost"
    WEBHOOK_DELAY = "webhook_delay"
    WEBHOOK_BEFORE_RESPONSE = "webhook_before_response"
    WEBHOOK_REORDER = "webhook_reorder"
    WEBHOOK_BAD_SIGNATURE = "webhook_bad_signature"
    BROWNOUT = "brownout"
    RATE_LIMIT = "rate_limit"
    NO_IDEMPOTENCY = "no_idempotency"
    AUTH_EXPIRED = "auth_expired"
    SETTLEMENT_MISMATCH = "settlement_mismatch"


@dataclass(frozen=True)
class Scope:
    """Which calls a mode may affect, which it does unless told, and what else it takes."""

    calls: frozenset[Call]
    unless_told: frozenset[Call]
    takes: frozenset[str] = frozenset()


EVERY = frozenset(Call)
EFFECTS = EVERY - {Call.QUERY}
TAKINGS = frozenset({Call.CHARGE, Call.CONFIRM, Call.CAPTURE})
DECISIONS = frozenset({Call.CHARGE, Call.CONFIRM})


def _of(calls: frozenset[Call], unless_told: frozenset[Call], *takes: str) -> Scope:
    return Scope(calls, unless_told, frozenset({"mode", "share", "first", "seed", "on", *takes}))


SCOPES = {
    Mode.NORMAL: _of(EVERY, EVERY),
    Mode.SLOW: _of(EVERY, TAKINGS, "delay_s", "sigma"),
    Mode.TIMEOUT_BEFORE: _of(EVERY, TAKINGS),
    Mode.TIMEOUT_AFTER_CAPTURE: _of(EFFECTS, TAKINGS, "announce"),
    Mode.RESET_MID_RESPONSE: _of(EFFECTS, TAKINGS, "announce"),
    Mode.DECLINE: _of(DECISIONS, DECISIONS, "code"),
    Mode.SOFT_5XX: _of(EFFECTS, TAKINGS, "status", "effect", "announce"),
    Mode.WEBHOOK_DUPLICATE: _of(EFFECTS, EFFECTS, "copies", "concurrent"),
    Mode.WEBHOOK_LOST: _of(EFFECTS, EFFECTS),
    Mode.WEBHOOK_DELAY: _of(EFFECTS, EFFECTS, "delay_s", "sigma"),
    Mode.WEBHOOK_BEFORE_RESPONSE: _of(EFFECTS, EFFECTS),
    Mode.WEBHOOK_REORDER: _of(EFFECTS, EFFECTS, "delay_s"),
    Mode.WEBHOOK_BAD_SIGNATURE: _of(EFFECTS, EFFECTS),
    Mode.BROWNOUT: _of(EVERY, EVERY, "rate_rps", "delay_s"),
    Mode.RATE_LIMIT: _of(EVERY, EVERY, "rate_rps"),
    Mode.NO_IDEMPOTENCY: _of(
        frozenset({Call.CHARGE, Call.REFUND}), frozenset({Call.CHARGE, Call.REFUND})
    ),
    Mode.AUTH_EXPIRED: _of(frozenset({Call.CAPTURE}), frozenset({Call.CAPTURE})),
    Mode.SETTLEMENT_MISMATCH: _of(frozenset(), frozenset(), "difference"),
}

NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which calls are affected, and how. What a mode does not take is refused.

    Attributes:
        share: Part of the calls, drawn by seed and key, so the same run meets the same fate.
        first: Only so many affected calls from the moment this was set: exactly.
        on: The kinds of call; those of the mode unless told.
        delay_s: How long a slow answer or a delayed event takes (its median where `sigma` spreads
            it); the longest wait in a brownout; how long a reordered event waits for a later one.
        sigma: Spreads the delay lognormally, as providers' latencies are; 0 does not.
        code: Why the card is declined.
        effect: Whether a 5xx comes after the charge was booked.
        announce: Whether the event of a charge that was not answered is sent all the same;
            without, only a query, the list of events or the settlement tells.
        copies: How often an event is sent; `concurrent` sends them at the same time.
        rate_rps: Calls a second that are served; 0 refuses every affected one.
        difference: How the settlement is wrong.
    """

    mode: Mode = Mode.NORMAL
    share: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    first: Annotated[int, msgspec.Meta(ge=1)] | None = None
    delay_s: NotNegative = 2.0
    seed: int = 0
    on: frozenset[Call] | None = None
    sigma: NotNegative = 0.0
    code: str = "insufficient_funds"
    status: Literal[500, 502, 503, 504] = 503
    effect: bool = False
    announce: bool = False
    copies: Annotated[int, msgspec.Meta(ge=2, le=100)] = 2
    concurrent: bool = False
    rate_rps: NotNegative = 0.0
    difference: Literal["amount", "missing", "double"] = "amount"

    def __post_init__(self) -> None:
        scope = SCOPES[self.mode]
        # A delay does no harm anywhere: who sets modes from one form sends it with each.
        for name, default in _DEFAULTS.items():
            if getattr(self, name) != default and name not in scope.takes | {"delay_s"}:
                raise ValueError(f"{self.mode} takes no {name}")
        if self.on is not None and not self.on <= scope.calls:
            able = ", ".join(sorted(scope.calls)) or "no call"
            raise ValueError(f"{self.mode} affects {able}, not {', '.join(sorted(self.on))}")

    def concerns(self, call: Call) -> bool:
        return call in (SCOPES[self.mode].unless_told if self.on is None else self.on)

    def shown(self) -> dict[str, Any]:
        """Return what was set and what the mode takes, without the rest."""
        taken = SCOPES[self.mode].takes
        return {
            name: value for name, value in msgspec.structs.asdict(self).items() if name in taken
        }


_DEFAULTS = {
    field.name: field.default for field in msgspec.structs.fields(Behaviour) if field.name != "mode"
}


def mode_for(behaviour: Behaviour, *, key: str, charges_before: int) -> Mode:
    """Return what the call under `key` meets; `charges_before` counts those already affected."""
    if behaviour.first is not None and charges_before >= behaviour.first:
        return Mode.NORMAL
    if behaviour.share is not None and _draw(behaviour, key).random() >= behaviour.share:
        return Mode.NORMAL
    return behaviour.mode


def delay_for(behaviour: Behaviour, *, key: str) -> float:
    """Return the seconds that the call or event under `key` is late."""
    if not behaviour.sigma:
        return behaviour.delay_s
    return behaviour.delay_s * _draw(behaviour, f"{key} late").lognormvariate(0, behaviour.sigma)


def _draw(behaviour: Behaviour, key: str) -> random.Random:
    """Return chance as a function of seed, mode and key, so that modes do not fall together."""
    return random.Random(f"{behaviour.seed}:{behaviour.mode}:{key}")
