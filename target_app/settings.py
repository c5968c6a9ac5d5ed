"""Settings of both processes, read once from the environment and then frozen."""

import math
from collections.abc import Mapping
from itertools import combinations
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from target_app.database.pool import ACQUIRE_TIMEOUT_S
from target_app.known_flaws import FLAWS
from target_app.known_strategies import STRATEGIES
from target_app.signatures import sign
from target_app.waiting.room import RoomLimits


class SettingsError(Exception):
    """The environment does not describe a process that could be started."""


def _split(text: object) -> object:
    if isinstance(text, str):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


Listed = Annotated[tuple[str, ...], BeforeValidator(_split)]
Address = Annotated[str, Field(pattern=r"^https?://[^/]+")]
Secret = Annotated[str, Field(min_length=1)]

LONGEST_S = 30 * 86_400
"""What is to last longer than any sale is a mistake; dates far enough off cannot be written."""


class Settings(BaseModel):
    """What both processes share: how an environment becomes values, and what is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, prefix: str) -> Self:
        """Read every variable that begins with `prefix`; an unknown one is a typo."""
        found = {
            name.removeprefix(prefix).lower(): value
            for name, value in environment.items()
            if name.startswith(prefix)
        }
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            lines = [
                f"{prefix}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}"
                for e in error.errors()
            ]
            raise SettingsError("\n".join(lines)) from error


class StorefrontSettings(Settings):
    """One replica of the shop.

    Attributes:
        databases: DSNs in the order in which to try them, each a proxy before one node.
        reservation: The stock strategy, an id of `target_app.strategies`.
        flaws: Planted flaws, ids of `target_app.strategies`.
        hold_s: How long an unpaid order keeps its units.
        pool_size: Connections to the database; some acts need a second one to come to their end.
        provider_timeout_s: After this long an unanswered charge counts as unknown.
        redis_url: Where Redis is, through its proxy; only what is built on Redis needs it.
        max_browsing, max_checkouts, max_payments: How many such requests may be in flight; one more
            is turned away with 429.
        queue_patience_s: A queue for database connections that stands for longer than this makes
            those limits shrink, that of browsing at half of it.
        body_patience_s: How long the body of a request may take to come.
        drain_notice_s: How long it goes on accepting after it was told to stop, saying that it is
            not ready: for balancers that ask.
        session_secret: What signs session tokens, tickets and admissions; by default it is derived
            from the other two, so that neither the provider nor an operator can make one.
        session_ttl_s: How long a session lasts.
        quote_ttl_s: How long a quote may be used at checkout.
        member_seed: Decides which synthetic members have which tier.
        waiting_room_rate: Admissions a second; without one there is no waiting room.
        waiting_room_active: How many may be admitted and not through with their checkout.
        waiting_room_lease_s: How long an admission lasts.
        waiting_room_seed: Decides the draw among those who came before T0; by default nobody can
            know how.
        replica: What this process calls itself in metrics and in its database sessions.
    """

    databases: Annotated[Listed, Field(min_length=1)]
    provider_url: Address
    ops_token: Secret
    webhook_secret: Secret
    reservation: str = "conditional_update"
    flaws: Listed = ()
    hold_s: float = Field(default=600.0, gt=0, le=LONGEST_S)
    pool_size: int = Field(default=20, ge=2)
    provider_timeout_s: float = Field(default=2.0, gt=0)
    redis_url: Annotated[str, Field(pattern=r"^rediss?://[^/]+")] | None = Field(
        default=None, validate_default=True
    )
    max_browsing: int = Field(default=200, ge=1)
    max_checkouts: int = Field(default=200, ge=1)
    max_payments: int = Field(default=300, ge=1)
    queue_patience_s: float = Field(default=0.2, gt=0, lt=ACQUIRE_TIMEOUT_S)
    body_patience_s: float = Field(default=5.0, gt=0, le=60)
    drain_notice_s: float = Field(default=0.0, ge=0)
    session_secret: str | None = Field(default=None, min_length=16)
    session_ttl_s: float = Field(default=3600.0, gt=0, le=LONGEST_S)
    quote_ttl_s: float = Field(default=300.0, gt=0, le=LONGEST_S)
    member_seed: int = 0
    waiting_room_rate: float | None = Field(default=None, gt=0, le=100_000)
    waiting_room_active: int | None = Field(default=None, ge=1, validate_default=True)
    waiting_room_lease_s: float = Field(default=300.0, ge=1, le=LONGEST_S)
    waiting_room_seed: str | None = Field(default=None, min_length=1)
    replica: str = "storefront"

    @property
    def signing_secret(self) -> str:
        """The secret of sessions, the same in every replica also where nobody chose one."""
        if self.session_secret is not None:
            return self.session_secret
        return sign(f"sessions {self.webhook_secret}".encode(), self.ops_token)

    @property
    def room_limits(self) -> RoomLimits | None:
        """How the waiting room lets in, None where there is none."""
        if self.waiting_room_rate is None or self.waiting_room_active is None:
            return None
        return RoomLimits(
            self.waiting_room_rate, self.waiting_room_active, self.waiting_room_lease_s
        )

    @field_validator("databases")
    @classmethod
    def _postgres_only(cls, databases: tuple[str, ...]) -> tuple[str, ...]:
        for dsn in databases:
            if not dsn.startswith("postgresql://"):
                raise ValueError(f"expected postgresql://..., got {dsn!r}")
        return databases

    @field_validator("webhook_secret")
    @classmethod
    def _not_the_operators(cls, webhook_secret: str, given: ValidationInfo) -> str:
        if webhook_secret == given.data.get("ops_token"):
            raise ValueError("the provider would be an operator: take another than OPS_TOKEN")
        return webhook_secret

    @field_validator("session_secret")
    @classmethod
    def _nobody_elses(cls, session_secret: str | None, given: ValidationInfo) -> str | None:
        for other in ("ops_token", "webhook_secret"):
            if session_secret is not None and session_secret == given.data.get(other):
                raise ValueError(f"others know it: take another than {other.upper()}")
        return session_secret

    @field_validator("provider_timeout_s")
    @classmethod
    def _within_the_hold(cls, provider_timeout_s: float, given: ValidationInfo) -> float:
        hold_s = given.data.get("hold_s", math.inf)
        if provider_timeout_s >= hold_s:
            raise ValueError(f"every payment could outlast its hold of {hold_s:g} s")
        return provider_timeout_s

    @field_validator("reservation")
    @classmethod
    def _known_strategy(cls, reservation: str) -> str:
        if reservation not in STRATEGIES:
            raise ValueError(f"expected one of {', '.join(STRATEGIES)}, got {reservation!r}")
        return reservation

    @field_validator("redis_url")
    @classmethod
    def _given_where_needed(cls, redis_url: str | None, given: ValidationInfo) -> str | None:
        strategy = given.data.get("reservation")
        if redis_url is None and strategy and "redis" in STRATEGIES[strategy].needs:
            raise ValueError(f"the reservation {strategy} needs Redis: say where it is")
        return redis_url

    @field_validator("waiting_room_active")
    @classmethod
    def _rate_and_cap(cls, active: int | None, given: ValidationInfo) -> int | None:
        if (active is None) != (given.data.get("waiting_room_rate") is None):
            raise ValueError("a waiting room has a rate and an active cap: give both or neither")
        if active is not None and given.data.get("redis_url") is None:
            raise ValueError("the waiting room is in Redis: say where that is")
        return active

    @field_validator("flaws")
    @classmethod
    def _known_flaws(cls, flaws: tuple[str, ...]) -> tuple[str, ...]:
        for flaw in flaws:
            if flaw not in FLAWS:
                raise ValueError(f"expected any of {', '.join(FLAWS) or 'none'}, got {flaw!r}")
        for one, other in combinations(flaws, 2):
            shared = FLAWS[one].replaces & FLAWS[other].replaces
            if shared:
                raise ValueError(
                    f"{one} and {other} both replace {', '.join(sorted(shared))}: take one of them"
                )
        return flaws


class ProviderSettings(Settings):
    """The payment provider simulator.

    Attributes:
        store: Path of its book, a SQLite file that outlives the process.
        webhook_url: Where it announces what becomes of charges.
        webhook_attempts: How often it tries to deliver an event.
        webhook_pause_s: How long after the first try; each pause is twice the one before.
    """

    store: Annotated[str, Field(min_length=1)]
    webhook_url: Address
    webhook_secret: Secret
    webhook_attempts: int = Field(default=6, ge=1)
    webhook_pause_s: float = Field(default=0.5, ge=0)
