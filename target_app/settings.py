"""Settings of both processes, read once from the environment and then frozen."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from target_app.strategies import FLAWS, STRATEGIES


class SettingsError(Exception):
    """The environment does not describe a process that could be started."""


def _split(text: object) -> object:
    if isinstance(text, str):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


Listed = Annotated[tuple[str, ...], BeforeValidator(_split)]
Address = Annotated[str, Field(pattern=r"^https?://[^/]+")]
Secret = Annotated[str, Field(min_length=1)]


class Settings(BaseModel):
    """What both processes share: how an environment becomes values, and what is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        provider_timeout_s: After this long an unanswered charge counts as unknown.
        replica: What this process calls itself in metrics and in its database sessions.
    """

    databases: Annotated[Listed, Field(min_length=1)]
    provider_url: Address
    ops_token: Secret
    webhook_secret: Secret
    reservation: str = "conditional_update"
    flaws: Listed = ()
    hold_s: float = Field(default=600.0, gt=0)
    pool_size: int = Field(default=20, ge=1)
    provider_timeout_s: float = Field(default=2.0, gt=0)
    replica: str = "storefront"

    @field_validator("databases")
    @classmethod
    def _postgres_only(cls, databases: tuple[str, ...]) -> tuple[str, ...]:
        for dsn in databases:
            if not dsn.startswith("postgresql://"):
                raise ValueError(f"expected postgresql://..., got {dsn!r}")
        return databases

    @field_validator("reservation")
    @classmethod
    def _known_strategy(cls, reservation: str) -> str:
        if reservation not in STRATEGIES:
            raise ValueError(f"expected one of {', '.join(STRATEGIES)}, got {reservation!r}")
        return reservation

    @field_validator("flaws")
    @classmethod
    def _known_flaws(cls, flaws: tuple[str, ...]) -> tuple[str, ...]:
        for flaw in flaws:
            if flaw not in FLAWS:
                raise ValueError(f"expected any of {', '.join(FLAWS) or 'none'}, got {flaw!r}")
        return flaws


class ProviderSettings(Settings):
    """The payment provider simulator.

    Attributes:
        store: Path of its book, a SQLite file that outlives the process.
        webhook_url: Where it announces captures.
    """

    store: Annotated[str, Field(min_length=1)]
    webhook_url: Address
    webhook_secret: Secret
