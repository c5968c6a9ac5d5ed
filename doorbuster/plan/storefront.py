"""How a plan wants the reference shop built, and what that shop says it can be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from doorbuster.faults import Frozen
from doorbuster.quantities import Duration, Rate, Whole

REDIS: Final = "redis"
"""What a strategy or flaw says it needs when it is built on Redis."""

Needs = Mapping[str, frozenset[str]]
"""What each strategy or flaw needs besides the database, by its id."""

LONGEST_S = 30 * 86_400
"""The longest that the shop lets anything last."""


@dataclass(frozen=True)
class KnownShop:
    """The strategies and flaws that the reference shop has, each with what it needs.

    Attributes:
        replaces: The acts of the shop that each flaw takes the place of.
    """

    strategies: Needs
    flaws: Needs
    replaces: Needs = field(default_factory=dict)

    @classmethod
    def from_description(cls, described: Mapping[str, Any]) -> Self:
        """Take what `python -m target_app describe` prints."""
        return cls(
            strategies=_named(described["strategies"], "needs"),
            flaws=_named(described["flaws"], "needs"),
            replaces=_named(described["flaws"], "replaces"),
        )

    def has_redis(self, storefront: "Storefront") -> bool:
        """Tell whether a shop built like this has a Redis; others are spared the process."""
        if storefront.waiting_room is not None:
            return True
        chosen = [self.strategies.get(storefront.reservation, frozenset())]
        chosen += [self.flaws.get(flaw, frozenset()) for flaw in storefront.flaws]
        return any(REDIS in needs for needs in chosen)

    @property
    def ways_to_redis(self) -> str:
        """Name the choices that bring a Redis with them, for whoever wants one."""
        strategies, flaws = (
            [name for name, needs in known.items() if REDIS in needs]
            for known in (self.strategies, self.flaws)
        )
        ways = [f"`storefront.reservation` {', '.join(strategies)}"] if strategies else []
        ways += [f"`storefront.flaws` {', '.join(flaws)}"] if flaws else []
        return " or ".join([*ways, "`storefront.waiting_room`"])


def _named(entries: list[dict[str, Any]], what: str) -> Needs:
    return {entry["id"]: frozenset(entry[what]) for entry in entries}


def known_shop(info: ValidationInfo) -> KnownShop | None:
    """Return the shop of the validation context; a plan that was read before needs none."""
    shop: KnownShop | None = (info.context or {}).get("shop")
    return shop


def _known_strategy(name: str, info: ValidationInfo) -> str:
    shop = known_shop(info)
    if shop is not None and name not in shop.strategies:
        raise ValueError(f"unknown strategy: expected one of {', '.join(shop.strategies)}")
    return name


def _known_flaw(name: str, info: ValidationInfo) -> str:
    shop = known_shop(info)
    if shop is not None and name not in shop.flaws:
        raise ValueError(f"unknown flaw: expected any of {', '.join(shop.flaws) or 'none'}")
    return name


def _all_planted(flaws: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """Refuse flaws of which one would undo the other without a word."""
    if len(set(flaws)) < len(flaws):
        raise ValueError(f"the same flaw twice: {', '.join(flaws)}")
    shop = known_shop(info)
    replaces = {} if shop is None else shop.replaces
    for one, other in combinations(flaws, 2):
        shared = replaces.get(one, frozenset()) & replaces.get(other, frozenset())
        if shared:
            acts = ", ".join(sorted(shared))
            raise ValueError(f"{one} and {other} both replace {acts}: expected one of them only")
    return flaws


def _whole_seconds(every_s: float) -> float:
    if every_s < 1 or every_s % 1:
        raise ValueError("expected whole seconds, at least 1s: Redis knows no others")
    return every_s


def _some_rate(per_s: float) -> float:
    if not 0 < per_s <= 100_000:
        raise ValueError("expected a rate above 0/s and up to 100000/s: else nobody is admitted")
    return per_s


def _some_seconds(lease_s: float) -> float:
    if lease_s < 1:
        raise ValueError("expected at least 1s: nobody checks out in less")
    return _at_most_a_month(lease_s)


def _at_most_a_month(lasts_s: float) -> float:
    if lasts_s > LONGEST_S:
        raise ValueError("expected at most 30 days, the longest that the shop takes")
    return lasts_s


class WaitingRoom(Frozen):
    """How shoppers wait before they may check out.

    Args:
        rate: Admissions a second, from T0 on.
        active: How many may be admitted and not through with their checkout.
        lease: How long an admission lasts; whoever has not checked out by then queues anew.
    """

    rate: Annotated[Rate, AfterValidator(_some_rate)]
    active: Annotated[Whole, Field(ge=1)]
    lease: Annotated[Duration, AfterValidator(_some_seconds)] = 300.0


class Storefront(Frozen):
    """How the reference shop is built; for no other shop.

    Args:
        replicas: Processes that share the shop's port.
        reservation: How stock is taken; `doorbuster strategies` lists them, wrong ones included.
        flaws: Bugs to plant, by id; the same list has them.
        replication: Whether a commit waits for the standby; `asynchronous` can lose orders.
        hold: How long an unpaid order keeps its stock.
        redis_snapshot: How often Redis saves itself when something changed. A killed one comes
            back as of then; without this it comes back empty.
        waiting_room: A line before the checkout; without this there is none.
    """

    replicas: Annotated[Whole, Field(ge=1, le=16)] = 1
    reservation: Annotated[str, AfterValidator(_known_strategy)] = "conditional_update"
    flaws: Annotated[
        tuple[Annotated[str, AfterValidator(_known_flaw)], ...], AfterValidator(_all_planted)
    ] = ()
    replication: Literal["synchronous", "asynchronous"] = "synchronous"
    hold: Annotated[Duration, AfterValidator(_at_most_a_month)] = 15.0
    redis_snapshot: Annotated[Duration, AfterValidator(_whole_seconds)] | None = None
    waiting_room: WaitingRoom | None = None

    @model_validator(mode="after")
    def _snapshot_of_something(self, info: ValidationInfo) -> "Storefront":
        shop = known_shop(info)
        if self.redis_snapshot is not None and shop is not None and not shop.has_redis(self):
            raise ValueError(
                f"`redis_snapshot` does nothing in a shop without Redis: "
                f"expected {shop.ways_to_redis} as well, or no snapshot"
            )
        return self
