"""The price of a cart, as a pure function.

The steps and their order are fixed: campaign price, item discounts, quantity tiers, thresholds,
coupons, gifts. Each works on what the steps before it have left.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from target_app.pricing.couponing import UsedCoupons, used_coupons
from target_app.pricing.cuts import Amounts, Cut, best_of_each, shared_out, taken_off
from target_app.pricing.quote import Cart, Discount, GiftLine, Quote, QuotedLine, Step
from target_app.pricing.rules import (
    Gift,
    ItemDiscount,
    Promotion,
    QuantityTier,
    Rules,
    Threshold,
    Tier,
)

PRICING_VERSION = 1
"""Goes up whenever the same rules would give another price."""

Quantities = Mapping[str, int]


class UnknownSkuError(ValueError):
    """A line of the cart is not on offer."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"{sku} is not on offer")
        self.sku = sku


def price(cart: Cart, rules: Rules, at: datetime, tier: Tier) -> Quote:
    """Return what `cart` costs a member of `tier` at the instant `at`, with every reason.

    Raises:
        UnknownSkuError: A line is not on offer.
        ValueError: Two lines are of the same SKU.
    """
    quantities = {line.sku: line.qty for line in sorted(cart.lines)}
    if len(quantities) < len(cart.lines):
        raise ValueError("one line for each SKU")
    amounts = {
        sku: qty * _unit_price(sku, rules, in_campaign=rules.in_campaign(at, tier))
        for sku, qty in quantities.items()
    }
    holding = [rule for rule in rules.promotions if _holds(rule, at, tier)]
    left, discounts = _discounted(amounts, quantities, holding)
    used = used_coupons(cart.coupons, rules.coupons, left, at=at, tier=tier)
    return Quote(
        promotion_version=rules.version,
        tier=tier,
        lines=tuple(_lines(rules, quantities, amounts, used)),
        discounts=(*discounts, *_itemised("coupon", used.cuts)),
        gifts=tuple(_gifts(holding, used.left)),
        unused_coupons=used.unused,
        subtotal=sum(amounts.values()),
        total=sum(used.left.values()),
    )


def _unit_price(sku: str, rules: Rules, *, in_campaign: bool) -> int:
    if sku not in rules.offers:
        raise UnknownSkuError(sku)
    offer = rules.offers[sku]
    return offer.price if in_campaign else offer.list_price


def _holds(rule: Promotion, at: datetime, tier: Tier) -> bool:
    """Tell whether a rule may change this price; early access is not a matter of discounts."""
    match rule:
        case ItemDiscount() | QuantityTier() | Threshold() | Gift():
            return rule.holds(at, tier)
    return False


def _discounted(
    amounts: Amounts, quantities: Quantities, holding: Iterable[Promotion]
) -> tuple[Amounts, list[Discount]]:
    discounts: list[Discount] = []
    for step, cuts_of in STEPS.items():
        cuts = best_of_each(cut for rule in holding for cut in cuts_of(rule, amounts, quantities))
        amounts, taken = taken_off(amounts, cuts)
        discounts += _itemised(step, taken)
    return amounts, discounts


def _item_cuts(rule: Promotion, amounts: Amounts, quantities: Quantities) -> Iterator[Cut]:
    if not isinstance(rule, ItemDiscount):
        return
    for sku, amount in amounts.items():
        if rule.covers(sku):
            qty = quantities[sku]
            off = rule.off.of(amount // qty) * qty if rule.off.amount else rule.off.of(amount)
            yield _line_cut(rule, sku, off)


def _quantity_cuts(rule: Promotion, amounts: Amounts, quantities: Quantities) -> Iterator[Cut]:
    if not isinstance(rule, QuantityTier):
        return
    for sku, amount in amounts.items():
        if rule.covers(sku):
            qty = quantities[sku]
            yield _line_cut(rule, sku, amount * percent_points(rule, qty) // (100 * qty))


def percent_points(rule: QuantityTier, qty: int) -> int:
    """Return the percentages of the units of one line, added up."""
    steps = sorted(rule.steps, key=lambda step: step.nth)
    ends = [step.nth for step in steps[1:]] + [qty + 1]
    return sum(
        step.percent * max(0, min(end, qty + 1) - step.nth)
        for step, end in zip(steps, ends, strict=True)
    )


def _line_cut(rule: ItemDiscount | QuantityTier, sku: str, off: int) -> Cut:
    instead_of = (rule.exclusive_group, sku) if rule.exclusive_group else None
    return Cut(rule.id, rule.title or rule.id, {sku: off}, instead_of)


def _threshold_cuts(rule: Promotion, amounts: Amounts, _quantities: Quantities) -> Iterator[Cut]:
    if not isinstance(rule, Threshold):
        return
    covered = {sku: amount for sku, amount in amounts.items() if rule.covers(sku)}
    base = sum(covered.values())
    if covered and base >= rule.min_amount:
        shares = shared_out(rule.off.of(base), covered)
        yield Cut(rule.id, rule.title or rule.id, shares, rule.exclusive_group)


STEPS: dict[Step, Callable[[Promotion, Amounts, Quantities], Iterator[Cut]]] = {
    "item_discount": _item_cuts,
    "quantity_tier": _quantity_cuts,
    "threshold": _threshold_cuts,
}
"""The steps between the campaign's price and the coupons, in their order."""


def _gifts(holding: Iterable[Promotion], left: Amounts) -> Iterator[GiftLine]:
    for rule in sorted((r for r in holding if isinstance(r, Gift)), key=lambda rule: rule.id):
        covered = [amount for sku, amount in left.items() if rule.covers(sku)]
        if covered and sum(covered) >= rule.min_amount:
            yield GiftLine(rule.id, rule.sku, rule.qty)


def _itemised(step: Step, taken: Iterable[Cut]) -> Iterator[Discount]:
    for cut in taken:
        yield Discount(cut.rule, step, cut.title, cut.amount, cut.shares)


def _lines(
    rules: Rules, quantities: Quantities, amounts: Amounts, used: UsedCoupons
) -> Iterator[QuotedLine]:
    for sku, qty in quantities.items():
        yield QuotedLine(
            sku=sku,
            qty=qty,
            list_price=rules.offers[sku].list_price,
            unit_price=amounts[sku] // qty,
            discount=amounts[sku] - used.left[sku],
            total=used.left[sku],
        )
