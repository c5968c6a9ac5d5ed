"""A session: one visit of one shopper, step by step, each due when the journey wants it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from msgspec.structs import replace

from doorbuster.operations import SECOND
from doorbuster.plan.sale import Tier
from scenarios.attempts import Surroundings, Wire, carry_out
from scenarios.outcome import Extracted
from scenarios.shopper import Shopper
from scenarios.step import CARD, Result, Step
from scenarios.visit import Visit

QUANTITY: Final = 1
REFUSED_CARD: Final = "card_declined"
"""What the payment provider refuses; any other method is good."""

_WORTH: Final = {"ok": 0, "info": 1, "fail": 2}
"""Of two results of one wish, which one the shopper goes by: the lower one."""


@dataclass(frozen=True, slots=True)
class Twice:
    """A request sent a second time, `apart_s` after the first, under the same key or a new one."""

    apart_s: float
    key: Literal["same", "new"] = "same"


@dataclass(frozen=True, slots=True)
class Hours:
    """When the sale is, on the run's clock.

    Attributes:
        early_s: How much sooner it opens for members, by their tier.
    """

    opens_s: float
    closes_s: float | None = None
    early_s: Mapping[Tier, float] = field(default_factory=dict)


class Session:
    """What a journey acts through.

    The first step is due at the arrival, each later one at the end of the step before plus the
    time the shopper thinks; a late step does not move the ones before it.
    """

    def __init__(
        self,
        shopper: Shopper,
        wire: Wire,
        around: Surroundings,
        *,
        run_id: str,
        hours: Hours,
    ) -> None:
        self.shopper = shopper
        self.choices = shopper.choices
        self.closes_s = hours.closes_s
        self._hours = hours
        self.visit = Visit(reserving_buys="pay" not in around.operations)
        self._wire = wire
        self._around = around
        self._run_id = run_id
        self._due_s = shopper.due_s
        self._steps = 0
        self._client_ref: str | None = None
        self._carried: dict[str, Any] = {}

    @property
    def opens_s(self) -> float:
        """When the sale opens for this shopper: for members perhaps early, once the shop knows."""
        return self._hours.opens_s - self.lead_s

    @property
    def lead_s(self) -> float:
        """How much sooner than for everybody."""
        return self._hours.early_s.get(self._carried.get("tier", ""), 0.0)

    @property
    def opens_in_s(self) -> float:
        """Seconds until the sale opens for them, negative once it has."""
        return self.opens_s - self._due_s

    @property
    def is_early(self) -> bool:
        """Whether they may buy now and not everybody may."""
        return self.opens_s <= self._due_s < self._hours.opens_s

    @property
    def sale_is_over(self) -> bool:
        return self.closes_s is not None and self._due_s >= self.closes_s

    def offers(self, op: str) -> bool:
        """Whether the shop has such an operation at all."""
        return op in self._around.operations

    def think(self, think_s: float) -> None:
        """Let time pass between the last step and the next."""
        self.wait_for(self._due_s + think_s)

    def wait_for(self, at_s: float) -> None:
        """Make the next step due at `at_s`, or at the end of the last one if that is later."""
        self._due_s = max(self._due_s, at_s)
        self._around.clock.sleep_until(self._due_s)

    def leave(self) -> None:
        """End the visit; who neither bought nor failed left for want of a sale, or only looked."""
        if self.opens_in_s > 0:
            self.visit.left("too_early")
        elif self.sale_is_over:
            self.visit.left("ended")

    def asked_s(self, refused: Result) -> float:
        """Return how long the shop asked to wait, 0 for who does not care."""
        return (refused.asked_s or 0.0) if self._around.manners.obeys else 0.0

    def view(self) -> Result:
        """Open the product page."""
        return self._act("view")

    def stock(self) -> Extracted:
        """Ask how many are left, or look at the page again where that cannot be asked."""
        if not self.offers("stock"):
            return self.view().extracted
        return self._act("stock").extracted

    def queue(self) -> Result:
        """Ask for a place in the line before the checkout."""
        return self._act("queue")

    def turn(self) -> Result:
        """Ask whether that place has got to the front."""
        return self._act("turn")

    def log_in(self) -> Result:
        """Begin a session of the shop's, as a new customer or one who was here before."""
        return self._act("session")

    def put_in_cart(self, *, qty: int = QUANTITY) -> Result:
        return self._act("cart", qty=qty)

    def quote(self, *, qty: int = QUANTITY) -> Result:
        """Ask what it would cost."""
        return self._act("quote", qty=qty)

    def reserve(self, *, qty: int = QUANTITY, twice: Twice | None = None) -> Result:
        """Try to take units; a new purchase under a new reference each time."""
        self._client_ref = self._new_reference()
        return self._act("reserve", qty=qty, twice=twice)

    def pay(self, reserved: Result, *, method: str = CARD, twice: Twice | None = None) -> Result:
        """Pay the order that `reserved` confirmed; in some shops reserving was buying already."""
        if not self.offers("pay"):
            return reserved
        order_id = reserved.extracted.order_id
        return self._act("pay", order_id=order_id, method=method, twice=twice)

    def _new_reference(self) -> str:
        return f"{self._run_id}-{self.shopper.arrival}-{self._steps}"

    def _act(
        self,
        op: str,
        *,
        qty: int | None = None,
        order_id: str | None = None,
        method: str = CARD,
        twice: Twice | None = None,
    ) -> Result:
        """Take a step when it is due, at the instant of a meeting if there is one, and go on."""
        staging, persona = self._around.staging, self.shopper.persona
        meets_at_s = staging.meets_at_s(op, persona=persona, due_s=self._due_s)
        if meets_at_s is not None:
            self.wait_for(meets_at_s)
        doubled = staging.doubles(op, persona=persona, choices=self.choices)
        if doubled and twice is None:
            twice = Twice(doubled.apart, doubled.key)
        step = self._step(op, qty=qty, order_id=order_id, method=method)
        result = self._both(step, twice) if twice else self._carry_out(step, self._wire)
        self._due_s = max(self._due_s, result.ended_s)
        self.visit.saw(step, result)
        return result

    def _step(self, op: str, *, qty: int | None, order_id: str | None, method: str) -> Step:
        shopper, number = self.shopper, self._steps
        self._steps += 1
        id_ = f"{shopper.arrival}-{number}"
        return Step(
            id=id_,
            op=op,
            arrival=shopper.arrival,
            number=number,
            persona=shopper.persona,
            user_ref=shopper.user_ref,
            due_s=self._due_s,
            sku=shopper.sku,
            qty=qty,
            client_ref=self._client_ref,
            key=f"{self._run_id}-{op}-{id_}",
            order_id=order_id,
            method=method,
            channel=shopper.channel,
            user_type=shopper.user_type,
            user=shopper.user,
            carried=self._carried,
        )

    def _carry_out(self, step: Step, wire: Wire) -> Result:
        return carry_out(step, wire, self._around)

    def _both(self, step: Step, twice: Twice) -> Result:
        """Send a step's request twice, and go by the better of the two results."""
        again = replace(step, id=step.id + SECOND, due_s=step.due_s + twice.apart_s)
        if twice.key == "new":
            again = replace(again, key=f"{step.key}{SECOND}")
            if step.op == "reserve":  # to the shop it is another purchase
                again = replace(again, client_ref=f"{step.client_ref}{SECOND}")

        def second(wire: Wire) -> Result:
            self._around.clock.sleep_until(again.due_s)
            return self._carry_out(again, wire)

        with self._around.staging.beside(second, self._wire) as second_result:
            results = (self._carry_out(step, self._wire), second_result())
        better = min(results, key=lambda result: _WORTH[result.outcome])
        return replace(better, ended_s=max(result.ended_s for result in results))
