"""What is wrong with a set of rules, before a buyer finds out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Literal, TypeAlias

import msgspec

from target_app.pricing.below_nothing import QTY_MAX, meet, overdrafts
from target_app.pricing.rules import (
    TIERS,
    Coupon,
    Gift,
    ItemDiscount,
    Promotion,
    QuantityTier,
    Rules,
    Scope,
    Threshold,
)
from target_app.problems import ProblemError

Grouped: TypeAlias = ItemDiscount | QuantityTier | Threshold


class Finding(msgspec.Struct, frozen=True):
    """Something about the rule `rule`: an error is refused, a warning is only said."""

    rule: str
    severity: Literal["error", "warning"]
    code: str
    message: str


class Supply(msgspec.Struct, frozen=True):
    """How many units of each SKU there are to sell, and of each gift to give."""

    units: Mapping[str, int]
    gifts: Mapping[str, int] = {}


def lint(rules: Rules, supply: Supply) -> tuple[Finding, ...]:
    """Return all findings, errors first."""
    found = {finding for check in CHECKS for finding in check(rules, supply)}
    return tuple(sorted(found, key=lambda finding: (finding.severity, finding.rule, finding.code)))


def approved(rules: Rules, supply: Supply) -> tuple[Finding, ...]:
    """Return the warnings about rules that may be used.

    Raises:
        ProblemError: Something about them is wrong, each thing with the rule's name.
    """
    findings = lint(rules, supply)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise ProblemError(422, "invalid_rules", details={"findings": errors})
    return findings


def _duplicates(rules: Rules, _supply: Supply) -> Iterator[Finding]:
    named = Counter([rule.id for rule in rules.promotions] + list(rules.coupons))
    for name, times in named.items():
        if times > 1:
            yield Finding(name, "error", "duplicate_id", f"{times} rules are called {name}")


def _unknown_skus(rules: Rules, _supply: Supply) -> Iterator[Finding]:
    for name, rule in _scoped(rules):
        for sku in rule.skus:
            if sku not in rules.offers:
                yield Finding(name, "error", "unknown_sku", f"{sku} is not on sale")


def _never_in_time(rules: Rules, _supply: Supply) -> Iterator[Finding]:
    for name, rule in _scoped(rules):
        empty = rule.starts_at and rule.ends_at and rule.starts_at >= rule.ends_at
        late = rule.starts_at and rules.ends_at and rule.starts_at >= rules.ends_at
        opens_at = min(rules.opens_at(tier) for tier in TIERS)
        early = rule.ends_at and rule.ends_at <= opens_at
        if empty or late or early:
            yield Finding(name, "warning", "never_applicable", "it never holds while the sale does")


def _overlaps(rules: Rules, _supply: Supply) -> Iterator[Finding]:
    """Find rules that exclude each other somewhere; thresholds on the same items are a ladder."""
    for one, other in combinations(_grouped(rules.promotions), 2):
        same_kind = type(one) is type(other) and one.exclusive_group == other.exclusive_group
        ladder = isinstance(one, Threshold) and set(one.skus) == set(other.skus)
        if same_kind and one.exclusive_group and not ladder and meet(one, other, rules):
            yield Finding(
                other.id,
                "warning",
                "exclusive_overlap",
                f"{one.id} is of the group {one.exclusive_group!r} too and covers some of the same "
                "items at the same time; only the better one counts",
            )


def _unreachable_steps(rules: Rules, supply: Supply) -> Iterator[Finding]:
    for rule in rules.promotions:
        if not isinstance(rule, QuantityTier):
            continue
        covered = [units for sku, units in supply.units.items() if rule.covers(sku)]
        reachable = min(max(covered, default=0), QTY_MAX)
        for nth, times in Counter(step.nth for step in rule.steps).items():
            if times > 1:
                message = f"{times} steps begin at unit {nth}"
                yield Finding(rule.id, "error", "ambiguous_tier", message)
            if nth > reachable:
                message = f"nobody can buy {nth} units of one item, there are {reachable} at most"
                yield Finding(rule.id, "warning", "unreachable_tier", message)


def _dominated_thresholds(rules: Rules, supply: Supply) -> Iterator[Finding]:
    """Find thresholds that no cart reaches, and those that another always beats."""
    thresholds = [rule for rule in rules.promotions if isinstance(rule, Threshold)]
    for rule in thresholds:
        most = _worth_at_most(rule, rules, supply)
        if rule.min_amount > most:
            message = f"it wants {rule.min_amount}, all that it covers comes to {most}"
            yield Finding(rule.id, "warning", "unreachable_tier", message)
    for one, other in combinations(sorted(thresholds, key=lambda rule: rule.min_amount), 2):
        exclusive = one.exclusive_group and one.exclusive_group == other.exclusive_group
        if exclusive and one.skus == other.skus and not _beats(other, one):
            message = f"{one.id} wants no more and takes at least as much off"
            yield Finding(other.id, "warning", "unreachable_tier", message)


def _beats(dearer: Threshold, cheaper: Threshold) -> bool:
    """Tell whether `dearer` may ever take more off than `cheaper`."""
    if dearer.off.amount is not None and cheaper.off.amount is not None:
        return dearer.off.amount > cheaper.off.amount
    if dearer.off.percent is not None and cheaper.off.percent is not None:
        return dearer.off.percent > cheaper.off.percent
    return True


def _below_nothing(rules: Rules, supply: Supply) -> Iterator[Finding]:
    for rule, message in overdrafts(rules, supply.units):
        yield Finding(rule, "error", "negative_price", message)


def _amounts_above_prices(rules: Rules, _supply: Supply) -> Iterator[Finding]:
    for rule in rules.promotions:
        if isinstance(rule, ItemDiscount) and rule.off.amount:
            for sku, offer in rules.offers.items():
                if rule.covers(sku) and rule.off.amount > offer.price:
                    message = f"it takes {rule.off.amount} off {sku}, which costs {offer.price}"
                    yield Finding(rule.id, "error", "negative_price", message)


def _coupons(rules: Rules, supply: Supply) -> Iterator[Finding]:
    for code, coupon in rules.coupons.items():
        most = _worth_at_most(coupon, rules, supply)
        if coupon.min_amount > most:
            message = f"it wants {coupon.min_amount}, all that it covers comes to {most}"
            yield Finding(code, "warning", "never_applicable", message)
        if coupon.off.amount and coupon.off.amount > coupon.min_amount:
            message = f"it takes off {coupon.off.amount} from {coupon.min_amount} on: some pay 0"
            yield Finding(code, "warning", "free_of_charge", message)
        if coupon.usage_limit is not None and coupon.per_user_limit > coupon.usage_limit:
            message = f"{coupon.per_user_limit} for each buyer, {coupon.usage_limit} in all"
            yield Finding(code, "warning", "limit_above_total", message)


def _gifts(rules: Rules, supply: Supply) -> Iterator[Finding]:
    for rule in rules.promotions:
        if not isinstance(rule, Gift):
            continue
        if rule.sku not in supply.gifts:
            message = f"{rule.sku} is not among the gifts"
            yield Finding(rule.id, "error", "gift_without_stock", message)
        elif supply.gifts[rule.sku] < rule.qty:
            message = f"there are {supply.gifts[rule.sku]} of {rule.sku}, it gives {rule.qty}"
            yield Finding(rule.id, "warning", "gift_without_stock", message)


CHECKS: tuple[Callable[[Rules, Supply], Iterator[Finding]], ...] = (
    _duplicates,
    _unknown_skus,
    _never_in_time,
    _overlaps,
    _unreachable_steps,
    _dominated_thresholds,
    _below_nothing,
    _amounts_above_prices,
    _coupons,
    _gifts,
)


def _scoped(rules: Rules) -> Iterator[tuple[str, Scope]]:
    for rule in rules.promotions:
        if isinstance(rule, Scope):
            yield rule.id, rule
    yield from rules.coupons.items()


def _grouped(promotions: Iterable[Promotion]) -> Iterator[Grouped]:
    for rule in promotions:
        if isinstance(rule, ItemDiscount | QuantityTier | Threshold):
            yield rule


def _worth_at_most(scope: Scope | Coupon, rules: Rules, supply: Supply) -> int:
    return sum(
        max(offer.price, offer.list_price) * min(supply.units.get(sku, 0), QTY_MAX)
        for sku, offer in rules.offers.items()
        if scope.covers(sku)
    )
