"""Laws of pricing, over any rules and any cart."""

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from target_app.pricing.cuts import allocated
from target_app.pricing.pricing import price
from target_app.pricing.quote import Cart, CartLine, Quote
from target_app.pricing.rules import (
    TIERS,
    Coupon,
    EarlyAccess,
    Gift,
    ItemDiscount,
    Off,
    Offer,
    Promotion,
    QuantityTier,
    Rules,
    Threshold,
    TierStep,
)

T0 = datetime(2026, 11, 23, 10, tzinfo=UTC)
SKUS = ("A", "B", "C", "D")
CODES = ("C1", "C2", "C3", "C4")

money = st.integers(0, 3000)
off = st.integers(1, 100).map(lambda n: Off(percent=n)) | st.integers(1, 3000).map(
    lambda n: Off(amount=n)
)
instants = st.none() | st.integers(-100, 100).map(lambda s: T0 + timedelta(seconds=s))
scope = {
    "skus": st.lists(st.sampled_from(SKUS), unique=True).map(tuple),
    "tiers": st.just(()) | st.lists(st.sampled_from(TIERS), unique=True).map(tuple),
    "starts_at": instants,
    "ends_at": instants,
}
grouped = scope | {"exclusive_group": st.sampled_from((None, "g", "h"))}
step = st.builds(TierStep, nth=st.integers(1, 6), percent=st.integers(1, 100))
steps = st.lists(step, min_size=1, max_size=3, unique_by=lambda step: step.nth).map(tuple)


def promotion(name: str) -> st.SearchStrategy[Promotion]:
    named = {"id": st.just(name)}
    return st.one_of(
        st.builds(ItemDiscount, off=off, **named, **grouped),
        st.builds(QuantityTier, steps=steps, **named, **grouped),
        st.builds(Threshold, off=off, min_amount=money, **named, **grouped),
        st.builds(Gift, sku=st.just("GIFT"), min_amount=money, **named, **scope),
        st.builds(EarlyAccess, tier=st.sampled_from(TIERS), lead_s=st.integers(1, 99), **named),
    )


promotions = st.integers(0, 5).flatmap(
    lambda count: st.tuples(*(promotion(f"r{n}") for n in range(count)))
)
coupons = st.tuples(
    *(
        st.builds(
            Coupon, code=st.just(code), off=off, min_amount=money, stackable=st.booleans(), **scope
        )
        for code in CODES
    )
).map(lambda known: {coupon.code: coupon for coupon in known})
offers = st.fixed_dictionaries(
    {sku: st.tuples(money, money).map(lambda pair: Offer(min(pair), max(pair))) for sku in SKUS}
)
rules = st.builds(
    Rules,
    version=st.just("v"),
    starts_at=st.just(T0),
    ends_at=st.none() | st.just(T0 + timedelta(seconds=50)),
    offers=offers,
    promotions=promotions,
    coupons=coupons,
)
lines = st.lists(
    st.builds(CartLine, sku=st.sampled_from(SKUS), qty=st.integers(1, 9)),
    unique_by=lambda line: line.sku,
    max_size=4,
).map(tuple)
shown = st.lists(st.sampled_from((*CODES, "NO-SUCH")), max_size=5).map(tuple)
carts = st.builds(Cart, lines=lines, coupons=shown)
at = st.integers(-120, 120).map(lambda s: T0 + timedelta(seconds=s))
tiers = st.sampled_from(TIERS)


@given(carts, rules, at, tiers)
def test_lines_and_discounts_add_up_to_the_total(
    cart: Cart, rules: Rules, at: datetime, tier: str
) -> None:
    quote = price(cart, rules, at, tier)
    assert sum(line.total for line in quote.lines) == quote.total
    assert quote.subtotal - sum(discount.amount for discount in quote.discounts) == quote.total
    for line in quote.lines:
        assert line.qty * line.unit_price - line.discount == line.total
        assert line.discount == sum(d.lines.get(line.sku, 0) for d in quote.discounts)


@given(carts, rules, at, tiers)
def test_nothing_is_negative(cart: Cart, rules: Rules, at: datetime, tier: str) -> None:
    quote = price(cart, rules, at, tier)
    assert all(line.total >= 0 and line.discount >= 0 for line in quote.lines)
    assert all(share > 0 for discount in quote.discounts for share in discount.lines.values())


@given(carts, rules, at, tiers, st.randoms(use_true_random=False))
def test_the_order_of_lines_rules_and_coupons_does_not_matter(
    cart: Cart, rules: Rules, at: datetime, tier: str, random: object
) -> None:
    def shuffled(values: tuple) -> tuple:  # type: ignore[type-arg]
        mixed = list(values)
        random.shuffle(mixed)  # type: ignore[attr-defined]
        return tuple(mixed)

    mixed_cart = Cart(shuffled(cart.lines), shuffled(cart.coupons))
    mixed_rules = Rules(
        version="v",
        starts_at=rules.starts_at,
        ends_at=rules.ends_at,
        offers=rules.offers,
        promotions=shuffled(rules.promotions),
        coupons=rules.coupons,
    )
    assert price(mixed_cart, mixed_rules, at, tier) == price(cart, rules, at, tier)


@given(carts, st.sampled_from(CODES), rules, at, tiers)
def test_one_more_coupon_never_costs_more(
    cart: Cart, code: str, rules: Rules, at: datetime, tier: str
) -> None:
    richer = Cart(cart.lines, (*cart.coupons, code))
    assert price(richer, rules, at, tier).total <= price(cart, rules, at, tier).total


@given(carts, rules, at, tiers)
def test_pricing_what_was_priced_changes_nothing(
    cart: Cart, rules: Rules, at: datetime, tier: str
) -> None:
    quote = price(cart, rules, at, tier)
    again = Cart(tuple(CartLine(line.sku, line.qty) for line in quote.lines), used(quote))
    repeated = price(again, rules, at, tier)
    assert (repeated.total, repeated.lines) == (quote.total, quote.lines)
    assert repeated.discounts == quote.discounts
    assert not repeated.unused_coupons


def used(quote: Quote) -> tuple[str, ...]:
    return tuple(d.rule for d in quote.discounts if d.step == "coupon")


@given(carts, rules, at, tiers)
def test_every_coupon_shown_is_used_or_said_why_not(
    cart: Cart, rules: Rules, at: datetime, tier: str
) -> None:
    quote = price(cart, rules, at, tier)
    unused = [coupon.code for coupon in quote.unused_coupons]
    assert sorted([*used(quote), *unused]) == sorted(set(cart.coupons))


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**5), min_size=1, max_size=8))
def test_shares_are_exact_and_within_a_unit_of_fair(amount: int, weights: list[int]) -> None:
    assume(amount <= sum(weights))
    shares = allocated(amount, weights)
    assert sum(shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert 0 <= share <= weight
        assert abs(share * sum(weights) - amount * weight) < max(1, sum(weights))
