"""Orders, stock and payments together, against the real moves: nothing is created or lost.

The provider is a table of charges; its word may be booked once, again, late, or never until
somebody asks. Whatever the order, in the end the books agree.
"""

from dataclasses import dataclass

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


@dataclass
class Bought:
    """An order with its units and its money on both sides."""

    qty: int
    status: Status = Status.PENDING_PAYMENT
    at_provider: str = "none"
    refunded: bool = False
    booked: bool = False
    refund_due: bool = False


class Shop(RuleBasedStateMachine):
    """The shop's flows in miniature; each rule is one committed transaction or one call."""

    @initialize(initial=st.integers(0, 5))
    def open_sale(self, initial: int) -> None:
        self.initial = initial
        self.available, self.reserved, self.sold, self.written_off = initial, 0, 0, 0
        self.orders: list[Bought] = []

    @rule(qty=st.integers(1, 2))
    def check_out(self, qty: int) -> None:
        if self.available >= qty:
            self.available, self.reserved = self.available - qty, self.reserved + qty
            self.orders.append(Bought(qty))

    @rule(pick=st.integers(0))
    def intend(self, pick: int) -> None:
        order = self._picked(pick)
        if order and order.status is Status.PENDING_PAYMENT and order.at_provider == "none":
            self._move(order, Status.PAYMENT_PROCESSING)

    @rule(pick=st.integers(0), outcome=st.sampled_from(["captured", "authorized", "declined"]))
    def provider_charges(self, pick: int, outcome: str) -> None:
        """The request arrives, whoever still waits for its answer; a closed key stays closed."""
        order = self._picked(pick)
        if order and order.status is Status.PAYMENT_PROCESSING and order.at_provider == "none":
            order.at_provider = outcome

    @rule(pick=st.integers(0))
    def provider_charges_for_a_lost_intent(self, pick: int) -> None:
        """A failover took the intent with it, and the order looks as if nobody had paid."""
        order = self._picked(pick)
        if order and order.status is Status.PENDING_PAYMENT and order.at_provider == "none":
            order.at_provider = "captured"

    @rule(pick=st.integers(0))
    def word_comes(self, pick: int) -> None:
        """Reply, webhook or query: the same booking, as often as it likes."""
        order = self._picked(pick)
        if order is None:
            return
        if order.at_provider == "captured" and not order.booked:
            self._book_capture(order)
        elif order.status is Status.PAYMENT_PROCESSING and order.at_provider == "authorized":
            self._move(order, Status.AUTHORIZED)
        elif order.status is Status.PAYMENT_PROCESSING and order.at_provider == "declined":
            order.at_provider = "none"
            self._move(order, Status.PENDING_PAYMENT)

    @rule(pick=st.integers(0))
    def capture_authorized(self, pick: int) -> None:
        order = self._picked(pick)
        if order and order.at_provider == "authorized":
            order.at_provider = "captured"

    @rule(pick=st.integers(0), ending=st.sampled_from([Status.EXPIRED, Status.CANCELLED]))
    def end_hold(self, pick: int, ending: Status) -> None:
        order = self._picked(pick)
        if order and order.status is Status.PENDING_PAYMENT:
            self._move(order, ending)

    @rule(pick=st.integers(0))
    def close_lapsed(self, pick: int) -> None:
        """Cancel at the provider, ask again, and only then free the units."""
        order = self._picked(pick)
        if order is None or order.status not in {Status.PAYMENT_PROCESSING, Status.AUTHORIZED}:
            return
        if order.at_provider in {"none", "authorized"}:
            order.at_provider = "voided"
        if order.at_provider == "voided":
            late = order.status is Status.AUTHORIZED
            self._move(order, Status.CANCELLED if late else Status.EXPIRED)

    @rule(pick=st.integers(0), restock=st.booleans())
    def refund(self, pick: int, restock: bool) -> None:
        order = self._picked(pick)
        if order and order.status in OWING:
            self._move(order, Status.REFUND_PENDING, restock=restock)
            order.refund_due = True

    @rule(pick=st.integers(0))
    def ship(self, pick: int) -> None:
        order = self._picked(pick)
        if order and order.status is Status.PAID:
            self._move(order, Status.FULFILLED)

    @rule(pick=st.integers(0))
    def send_refund(self, pick: int) -> None:
        order = self._picked(pick)
        if order and order.refund_due and not order.refunded:
            order.refunded = True
            if order.status is Status.REFUND_PENDING:
                self._move(order, Status.REFUNDED)

    def teardown(self) -> None:
        """Reconcile: every word is heard, every refund sent; then the books agree."""
        for pick in range(len(getattr(self, "orders", ()))):
            self.word_comes(pick)
            self.send_refund(pick)
        for order in getattr(self, "orders", ()):
            kept = order.at_provider == "captured" and not order.refunded
            assert kept == (order.status in OWING), order

    def _picked(self, pick: int) -> Bought | None:
        return self.orders[pick % len(self.orders)] if self.orders else None

    def _book_capture(self, order: Bought) -> None:
        order.booked = True
        match on_capture(order.status, True):
            case OnCapture.PAY:
                self._move(order, Status.PAID)
            case OnCapture.PAY_IF_STOCK if self.available >= order.qty:
                self._move(order, Status.PAID)
            case OnCapture.PAY_IF_STOCK:
                self._move(order, Status.REFUND_PENDING)
                order.refund_due = True
            case OnCapture.REFUND:
                order.refund_due = True

    def _move(self, order: Bought, target: Status, *, restock: bool = True) -> None:
        qty = order.qty
        match MOVES[order.status, target]:
            case StockEffect.CLAIM:
                self.reserved, self.sold = self.reserved - qty, self.sold + qty
            case StockEffect.RELEASE:
                self.reserved, self.available = self.reserved - qty, self.available + qty
            case StockEffect.RETAKE:
                self.available, self.sold = self.available - qty, self.sold + qty
            case StockEffect.RETURN if restock:
                self.sold, self.available = self.sold - qty, self.available + qty
            case StockEffect.RETURN:
                self.sold, self.written_off = self.sold - qty, self.written_off + qty
        order.status = target

    @invariant()
    def units_are_conserved(self) -> None:
        if hasattr(self, "orders"):
            counted = self.available + self.reserved + self.sold + self.written_off
            assert counted == self.initial
            assert min(self.available, self.reserved, self.sold, self.written_off) >= 0

    @invariant()
    def counters_say_what_orders_say(self) -> None:
        if hasattr(self, "orders"):
            assert self.reserved == sum(o.qty for o in self.orders if o.status in HOLDING)
            assert self.sold == sum(o.qty for o in self.orders if o.status in OWING)

    @invariant()
    def nobody_has_goods_without_money(self) -> None:
        for order in getattr(self, "orders", ()):
            if order.status in OWING:
                assert order.at_provider == "captured"
                assert not order.refunded


TestShop = Shop.TestCase
TestShop.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
