"""A session: one visit of one shopper, step by step, each due when the journey wants it."""

from typing import Any, Final

from scenarios.attempts import Surroundings, Wire, carry_out
from scenarios.outcome import Extracted
from scenarios.shopper import Shopper
from scenarios.step import CARD, Result, Step

QUANTITY: Final = 1
REFUSED_CARD: Final = "card_declined"
"""What the payment provider refuses; any other method is good."""


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
        sale_s: tuple[float, float | None],
    ) -> None:
        self.shopper = shopper
        self.choices = shopper.choices
        self.opens_s, self.closes_s = sale_s
        self._wire = wire
        self._around = around
        self._run_id = run_id
        self._due_s = shopper.due_s
        self._steps = 0
        self._client_ref: str | None = None
        self._carried: dict[str, Any] = {}

    @property
    def opens_in_s(self) -> float:
        """Seconds until the sale opens, negative once it has."""
        return self.opens_s - self._due_s

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

    def reserve(self) -> Result:
        """Try to take one unit; a new purchase under a new reference each time."""
        self._client_ref = f"{self._run_id}-{self.shopper.arrival}-{self._steps}"
        return self._act("reserve", qty=QUANTITY)

    def pay(self, reserved: Result, *, method: str = CARD) -> Result:
        """Pay the order that `reserved` confirmed; in some shops reserving was buying already."""
        if not self.offers("pay"):
            return reserved
        return self._act("pay", order_id=reserved.extracted.order_id, method=method)

    def _act(
        self,
        op: str,
        *,
        qty: int | None = None,
        order_id: str | None = None,
        method: str = CARD,
    ) -> Result:
        shopper, number = self.shopper, self._steps
        self._steps += 1
        id_ = f"{shopper.arrival}-{number}"
        step = Step(
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
            carried=self._carried,
        )
        result = carry_out(step, self._wire, self._around)
        self._due_s = result.ended_s
        return result
