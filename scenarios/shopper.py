"""Shoppers as a pure function of the plan: who the k-th arrival is and what they want."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Final

from doorbuster.arrivals import Arrival
from doorbuster.errors import PlanError
from doorbuster.plan.model import Plan
from doorbuster.plan.people import Data
from doorbuster.plan.recorded import Users, read_users
from doorbuster.plan.sale import Item

ACCOUNTS: Final = {"hoarder": 20}
"""How many accounts the bots of a kind share; everybody else has one of their own."""


@dataclass(frozen=True)
class Shopper:
    """One arrival as a person: persona, wanted item, and their own stream of choices.

    Args:
        channel: Where they come from, such as web or app.
        seed: The plan's; with `arrival` it is the source of all their chance.
        user: Their row in the plan's own users.
    """

    arrival: int
    due_s: float
    persona: str
    sku: str
    choices: random.Random
    channel: str = "web"
    seed: int = 0
    user: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def user_ref(self) -> str:
        """Who they are to the shop: what the first column says, if the users are one's own."""
        if self.user:
            return next(iter(self.user.values()))
        accounts = ACCOUNTS.get(self.persona)
        return f"{self.persona}-{self.arrival % accounts}" if accounts else f"user-{self.arrival}"

    @property
    def user_type(self) -> str:
        """Whether the shop has seen them before."""
        return "new" if self.persona == "newcomer" else "returning"

    @cached_property
    def jitter(self) -> random.Random:
        """Chance of its own for waits between attempts.

        How many there are is the shop's doing; what the shopper chooses later must not change.
        """
        return random.Random(f"{self.seed}/{self.arrival}/retries")


def shoppers(plan: Plan) -> Callable[[Arrival], Shopper]:
    """Return the function from arrival to shopper.

    Each has a random stream of their own, drawn from (seed, arrival), so that the same plan gives
    the same shoppers whatever the number of processes and however the shop behaves.
    """
    traffic = plan.traffic
    personas, persona_weights = list(traffic.personas), list(accumulate(traffic.personas.values()))
    channels, channel_weights = list(traffic.channels), list(accumulate(traffic.channels.values()))
    wanted = [_wanted(item) for item in plan.sale.items]
    demand = list(accumulate(item.demand for item in plan.sale.items))
    users = users_of(traffic.data)

    def shopper(arrival: Arrival) -> Shopper:
        choices = random.Random(f"{plan.seed}/{arrival.index}")
        persona = choices.choices(personas, cum_weights=persona_weights)[0]
        sku = choices.choices(wanted, cum_weights=demand)[0](choices)
        return Shopper(
            arrival=arrival.index,
            due_s=arrival.due_s,
            persona=persona,
            sku=sku,
            choices=choices,
            channel=choices.choices(channels, cum_weights=channel_weights)[0],
            seed=plan.seed,
            user=_row(users, arrival.index),
        )

    return shopper


def users_of(data: Data | None) -> Users | None:
    """Read the users of one's own, if the plan has any."""
    try:
        return read_users(Path(data.users)) if data else None
    except ValueError as error:
        raise PlanError(f"traffic.data: {error}") from error


def _row(users: Users | None, index: int) -> Mapping[str, str]:
    return {} if users is None else users.row(index)


def _wanted(item: Item) -> Callable[[random.Random], str]:
    """Return what chooses one of the SKUs that `item` stands for."""
    skus = item.skus
    if not item.skew:
        return lambda choices: skus[choices.randrange(len(skus))]
    weights = list(accumulate((n + 1) ** -item.skew for n in range(len(skus))))
    return lambda choices: choices.choices(skus, cum_weights=weights)[0]
