"""Rules that could together take off more than there is to pay.

Prices end at 0, so a buyer would be given less than was promised, and the shop gives goods away
where each rule alone looks harmless.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from target_app.pricing.cuts import best_of_each, taken_off
from target_app.pricing.pricing import STEPS
from target_app.pricing.quote import Step
from target_app.pricing.rules import TIERS, ItemDiscount, QuantityTier, Rules, Scope, Threshold

QTY_MAX = 1000
"""Units that one line of a cart may have."""

Overdraft = tuple[str, str]
"""The rule that makes it too much, and what is taken off where."""

LINE_STEPS: Mapping[Step, type[ItemDiscount | QuantityTier]] = {
    "item_discount": ItemDiscount,
    "quantity_tier": QuantityTier,
}


def overdrafts(rules: Rules, units: Mapping[str, int]) -> Iterator[Overdraft]:
    """Find what takes off too much from a line of any length, or from any order.

    `units` are there of each SKU; nobody can buy more.
    """
    for holding in _holding_together(rules):
        for step in LINE_STEPS:
            yield from _off_lines(step, holding, rules, units)
        yield from _off_orders(holding, rules)


def meet(one: Scope, other: Scope, rules: Rules) -> bool:
    """Tell whether both may hold for one item, one buyer and one instant."""
    item = any(one.covers(sku) and other.covers(sku) for sku in rules.offers)
    tier = not one.tiers or not other.tiers or bool(set(one.tiers) & set(other.tiers))
    apart = _ends_before(one, other) or _ends_before(other, one)
    return item and tier and not apart


def _ends_before(one: Scope, other: Scope) -> bool:
    return bool(one.ends_at and other.starts_at and one.ends_at <= other.starts_at)


def _holding_together(rules: Rules) -> Iterator[Sequence[Scope]]:
    """Yield the rules that hold for each tier, at each instant at which one of them begins."""
    scoped = [rule for rule in rules.promotions if isinstance(rule, Scope)]
    seen: list[Sequence[Scope]] = []
    for tier in TIERS:
        begins = {rule.starts_at for rule in scoped if rule.starts_at}
        for at in begins | {rules.opens_at(tier)}:
            holding = [rule for rule in scoped if rule.holds(at, tier)]
            if rules.in_campaign(at, tier) and holding not in seen:
                seen.append(holding)
                yield holding


def _off_lines(
    step: Step, holding: Sequence[Scope], rules: Rules, units: Mapping[str, int]
) -> Iterator[Overdraft]:
    """Find one line that a step would take more from than the steps before it have left."""
    for sku, offer in rules.offers.items():
        covering = [
            rule
            for rule in holding
            if isinstance(rule, ItemDiscount | QuantityTier) and rule.covers(sku)
        ]
        if sum(isinstance(rule, LINE_STEPS[step]) for rule in covering) < 2:
            continue  # one alone takes at most all
        for qty in _telling_quantities(covering, most=min(QTY_MAX, max(1, units.get(sku, 0)))):
            taken, left = _taken(step, covering, sku=sku, qty=qty, price=offer.price)
            if sum(taken.values()) > left:
                message = (
                    f"with {', '.join(taken)} it takes {sum(taken.values())} off {qty} of {sku}, "
                    f"for which {left} is to be paid"
                )
                yield max(taken), message
                return  # one line is witness enough


def _telling_quantities(rules: Iterable[Scope], *, most: int) -> list[int]:
    """Return the lengths of a line at which the share that is taken off can be at its greatest.

    Between two of them it only rises or only falls. A cent's fraction is rounded off less of a
    longer line.
    """
    begins = [step.nth for rule in rules if isinstance(rule, QuantityTier) for step in rule.steps]
    found = {1, most, *begins, *(nth - 1 for nth in begins)}
    return sorted(qty for qty in found if 1 <= qty <= most)


def _taken(
    step: Step, rules: Sequence[Scope], *, sku: str, qty: int, price: int
) -> tuple[dict[str, int], int]:
    """Return what each rule of a step would take off a line, and what the line came to before."""
    amounts: Mapping[str, int] = {sku: qty * price}
    for earlier, cuts_of in STEPS.items():
        cuts = best_of_each(
            cut
            for rule in rules
            if isinstance(rule, ItemDiscount | QuantityTier)
            for cut in cuts_of(rule, amounts, {sku: qty})
        )
        if earlier == step:
            break
        amounts, _cuts = taken_off(amounts, cuts)
    return {cut.rule: cut.amount for cut in cuts if cut.amount}, amounts[sku]


def _off_orders(holding: Sequence[Scope], rules: Rules) -> Iterator[Overdraft]:
    """Add thresholds up at each amount at which one of them begins."""
    thresholds = [rule for rule in holding if isinstance(rule, Threshold)]
    for rule in thresholds:
        reached = _best_by_group(
            (other, other.off.of(rule.min_amount) if other.off.percent else other.off.amount or 0)
            for other in thresholds
            if other.min_amount <= rule.min_amount and meet(rule, other, rules)
        )
        if sum(reached.values()) > rule.min_amount:
            message = f"at {rule.min_amount} it takes off {sum(reached.values())}"
            others = f", with {', '.join(reached)}" if len(reached) > 1 else ""
            yield rule.id, message + others


def _best_by_group(offs: Iterable[tuple[Threshold, int]]) -> dict[str, int]:
    """Return what each rule takes off, of every exclusive group only the best."""
    best: dict[str, tuple[str, int]] = {}
    for rule, off in offs:
        group = f"group {rule.exclusive_group}" if rule.exclusive_group else f"rule {rule.id}"
        if group not in best or off > best[group][1]:
            best[group] = (rule.id, off)
    return dict(sorted(best.values()))
