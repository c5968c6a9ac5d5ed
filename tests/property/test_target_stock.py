"""Whatever happens to orders, units are conserved: the shop's own table of moves, acted out."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from target_app.orders.states import (
    HOLDING,
    MOVES,
    OWING,
    OnCapture,
    Status,
    StockEffect,
    on_capture,
)


class Stock(RuleBasedStateMachine):
    """Counters as the strategies move them, beside the orders that they are about."""

    @initialize(initial=st.integers(0, 6))
    def open_sale(self, initial: int) -> None:
        self.initial = initial
        self.available, self.reserved, self.sold = initial, 0, 0
        self.orders: list[tuple[Status, int]] = []

    @rule(qty=st.integers(1, 3))
    def check_out(self, qty: int) -> None:
        if self.available >= qty:
            self.available -= qty
            self.reserved += qty
            self.orders.append((Status.PENDING_PAYMENT, qty))

    @rule(pick=st.integers(0), move=st.sampled_from(sorted(MOVES)))
    def move(self, pick: int, move: tuple[Status, Status]) -> None:
        """A compare-and-set of whoever comes along: sweeper, buyer, reply, query."""
        source, target = move
        if target is not Status.PAID and Status.REVIEW not in move:
            self._move(pick, source, target)

    @rule(pick=st.integers(0), pays_in_full=st.booleans())
    def capture(self, pick: int, pays_in_full: bool) -> None:
        if not self.orders:
            return
        status, _qty = self.orders[pick % len(self.orders)]
        match on_capture(status, pays_in_full):
            case OnCapture.PAY:
                assert self._move(pick, status, Status.PAID)
            case OnCapture.PAY_IF_STOCK:
                if not self._move(pick, status, Status.PAID):
                    assert self._move(pick, status, Status.REFUND_PENDING)

    def _move(self, pick: int, source: Status, target: Status) -> bool:
        if not self.orders:
            return False
        chosen = pick % len(self.orders)
        status, qty = self.orders[chosen]
        if status is not source or not self._moved(MOVES[source, target], qty):
            return False
        self.orders[chosen] = (target, qty)
        return True

    def _moved(self, effect: StockEffect, qty: int) -> bool:
        match effect:
            case StockEffect.CLAIM:
                self.reserved, self.sold = self.reserved - qty, self.sold + qty
            case StockEffect.RELEASE:
                self.reserved, self.available = self.reserved - qty, self.available + qty
            case StockEffect.RETURN:
                self.available, self.sold = self.available + qty, self.sold - qty
            case StockEffect.RETAKE if self.available < qty:
                return False
            case StockEffect.RETAKE:
                self.available, self.sold = self.available - qty, self.sold + qty
        return True

    @invariant()
    def units_are_conserved(self) -> None:
        if hasattr(self, "orders"):
            assert self.available + self.reserved + self.sold == self.initial
            assert min(self.available, self.reserved, self.sold) >= 0

    @invariant()
    def counters_say_what_orders_say(self) -> None:
        if hasattr(self, "orders"):
            assert self.reserved == sum(qty for status, qty in self.orders if status in HOLDING)
            assert self.sold == sum(qty for status, qty in self.orders if status in OWING)


TestStock = Stock.TestCase
TestStock.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
