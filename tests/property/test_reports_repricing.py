"""Two hands, one price: the reports' own computation agrees with the shop's, for any rules."""

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from reports.checks.repricing import Bought, RuleSet, cost_of
from target_app.pricing.pricing import price
from target_app.pricing.quote import Cart
from target_app.pricing.quoting import used_codes
from target_app.pricing.rules import TIERS, Rules, Tier
from tests.property.test_target_pricing import T0, carts, rules


def as_exported(known: Rules) -> RuleSet:
    """Return the rules by way of the JSON that the ledger has of each."""
    written = [msgspec.json.decode(msgspec.json.encode(rule)) for rule in known.promotions]
    coupons = {
        code: msgspec.json.decode(msgspec.json.encode(rule)) for code, rule in known.coupons.items()
    }
    offers = {sku: (offer.price, offer.list_price) for sku, offer in known.offers.items()}
    return RuleSet(known.starts_at, known.ends_at, offers, written, coupons)


@given(carts, rules, st.sampled_from(TIERS), st.integers(-100, 100))
def test_an_order_costs_the_same_by_both(cart: Cart, known: Rules, tier: Tier, at_s: int) -> None:
    at = T0 + timedelta(seconds=at_s)
    quote = price(cart, known, at, tier)
    bought = Bought({line.sku: line.qty for line in cart.lines}, used_codes(quote), tier, at)
    assert cost_of(bought, as_exported(known)) == (quote.subtotal, quote.total)
