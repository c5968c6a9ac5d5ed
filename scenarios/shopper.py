"""Shoppers as a pure function of the plan: who the k-th arrival is and what they want."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from doorbuster.arrivals import Arrival
from doorbuster.plan.model import Plan


@dataclass(frozen=True, slots=True)
class Shopper:
    """One arrival as a person: persona, wanted item, and their own stream of choices."""

    arrival: int
    due_s: float
    persona: str
    sku: str
    choices: random.Random

    @property
    def user_ref(self) -> str:
        return f"user-{self.arrival}"


def shoppers(plan: Plan) -> Callable[[Arrival], Shopper]:
    """Return the function from arrival to shopper.

    Each has a random stream of their own, drawn from (seed, arrival), so that the same plan gives
    the same shoppers whatever the number of processes and however the shop behaves.
    """
    personas = list(plan.traffic.personas)
    persona_weights = list(accumulate(plan.traffic.personas.values()))
    skus = [item.skus for item in plan.sale.items]
    demand = list(accumulate(item.demand for item in plan.sale.items))

    def shopper(arrival: Arrival) -> Shopper:
        choices = random.Random(f"{plan.seed}/{arrival.index}")
        persona = choices.choices(personas, cum_weights=persona_weights)[0]
        group = choices.choices(skus, cum_weights=demand)[0]
        sku = group[choices.randrange(len(group))]
        return Shopper(arrival.index, arrival.due_s, persona, sku, choices)

    return shopper
