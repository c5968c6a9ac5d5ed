"""The provider's book under any calls: money is never made up, and keys mean one thing."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from target_app.provider.book import Book
from target_app.provider.intents import Intent, State
from target_app.provider.refusals import RefusedError

AMOUNTS = st.integers(min_value=1, max_value=5)
INTENTS = st.builds(
    Intent,
    merchant_ref=st.just("o"),
    amount=AMOUNTS,
    currency=st.just("EUR"),
    method=st.sampled_from(["card", "card_declined"]),
    confirm=st.booleans(),
    capture_method=st.sampled_from(["manual", "automatic"]),
)
FINAL = {State.CAPTURED, State.VOIDED, State.DECLINED}


class AnyCalls(RuleBasedStateMachine):
    """Charges, holds, voids, captures and refunds in any order, repeated at will."""

    charges = Bundle("charges")

    def __init__(self) -> None:
        super().__init__()
        self.book = Book(":memory:")
        self.authorised: dict[str, int] = {}
        self.ended: dict[str, tuple[str, int]] = {}

    def teardown(self) -> None:
        self.book.close()

    @rule(target=charges, key=st.sampled_from("abc"), intent=INTENTS)
    def charge(self, key: str, intent: Intent) -> Any:
        try:
            entry = self.book.charge(intent, key=key)
        except RefusedError:
            assert key in {row["psp_key"] for row in self.book.charges_of("o")}
            return multiple()
        charge_id = entry.values["charge_id"]
        assert self.authorised.setdefault(charge_id, intent.amount) == intent.amount
        return charge_id

    @rule(charge_id=charges, verb=st.sampled_from(["confirm", "cancel", "capture"]))
    def act(self, charge_id: str, verb: str) -> None:
        before = self.book.find(charge_id)
        try:
            entry = getattr(self.book, verb)(charge_id)
        except RefusedError:
            assert self.book.find(charge_id) == before
            return
        assert entry.fresh is (entry.values != before)

    @rule(charge_id=charges, amount=AMOUNTS)
    def capture_part(self, charge_id: str, amount: int) -> None:
        try:
            taken = self.book.capture(charge_id, amount=amount).values
        except RefusedError:
            return
        assert taken["captured_amount"] == amount <= self.authorised[charge_id]

    @rule(charge_id=charges, key=st.sampled_from("xyz"), amount=AMOUNTS)
    def refund(self, charge_id: str, key: str, amount: int) -> None:
        try:
            self.book.refund(key=key, charge_id=charge_id, amount=amount)
        except RefusedError:
            return

    @invariant()
    def what_ended_stays(self) -> None:
        for charge in self.book.charges_of("o"):
            if charge["state"] in FINAL:
                stands = (charge["state"], charge["captured_amount"])
                assert self.ended.setdefault(charge["charge_id"], stands) == stands
            else:
                assert charge["captured_amount"] == 0
                assert charge["charge_id"] not in self.ended

    @invariant()
    def no_more_is_given_back_than_was_taken(self) -> None:
        taken: dict[str, int] = {}
        for line in self.book.lines():
            if line["table"] == "charges" and line["state"] == "captured":
                taken[line["charge_id"]] = line["amount"]
            elif line["table"] == "refunds":
                taken[line["charge_id"]] -= line["amount"]
        assert all(kept >= 0 for kept in taken.values())


TestAnyCalls = AnyCalls.TestCase
TestAnyCalls.settings = settings(max_examples=40, stateful_step_count=25)
