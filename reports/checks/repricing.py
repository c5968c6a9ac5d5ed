"""What an order has to cost by the rules in the ledger, worked out without the shop's own code.

Rules are read as the shop wrote them, as JSON. The steps and their order are the documented ones:
campaign price, item discounts, quantity tiers, thresholds, coupons; each works on what the steps
before it have left, and money is rounded down.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

Rule = Mapping[str, Any]
Left = dict[str, int]
"""What each SKU of an order still costs."""

STEPS: Final = ("item_discount", "quantity_tier", "threshold")


@dataclass(frozen=True)
class RuleSet:
    """One version of the rules; `offers` has the price in the sale and the one outside of it."""

    starts_at: datetime
    ends_at: datetime | None
    offers: Mapping[str, tuple[int, int]]
    promotions: Sequence[Rule] = ()
    coupons: Mapping[str, Rule] = field(default_factory=dict)

    def is_open(self, bought: "Bought") -> bool:
        ended = self.ends_at is not None and bought.at >= self.ends_at
        return bought.at >= self.opens_at(bought.tier) and not ended

    def opens_at(self, tier: str) -> datetime:
        leads_s = [r["lead_s"] for r in self.promotions if r.get("tier") == tier and "lead_s" in r]
        return self.starts_at - timedelta(seconds=max(leads_s, default=0))


@dataclass(frozen=True)
class Bought:
    """An order as far as its price goes; `quantities` leaves gifts out."""

    quantities: Mapping[str, int]
    coupons: Sequence[str]
    tier: str
    at: datetime


@dataclass(frozen=True)
class Proposal:
    """What a rule would take off; of those that share `instead_of` only the best counts."""

    rule: str
    shares: Mapping[str, int]
    instead_of: object


def cost_of(bought: Bought, rules: RuleSet) -> tuple[int, int]:
    """Return what `bought` costs before and after everything that is taken off."""
    on_sale = rules.is_open(bought)
    left = {
        sku: qty * rules.offers[sku][0 if on_sale else 1]
        for sku, qty in sorted(bought.quantities.items())
    }
    subtotal = sum(left.values())
    holding = [rule for rule in rules.promotions if holds(rule, bought)]
    for kind in STEPS:
        proposed = [p for r in holding if r["kind"] == kind for p in proposals(r, left, bought)]
        left = lowered(left, best(proposed))
    shown = [rules.coupons[code] for code in bought.coupons if code in rules.coupons]
    return subtotal, sum(with_coupons(left, [c for c in shown if holds(c, bought)]).values())


def holds(rule: Rule, bought: Bought) -> bool:
    starts_at, ends_at = (rule.get(name) for name in ("starts_at", "ends_at"))
    if starts_at is not None and bought.at < datetime.fromisoformat(starts_at):
        return False
    if ends_at is not None and bought.at >= datetime.fromisoformat(ends_at):
        return False
    return not rule.get("tiers") or bought.tier in rule["tiers"]


def proposals(rule: Rule, left: Left, bought: Bought) -> Iterator[Proposal]:
    """Return what a promotion proposes: line by line, or a threshold for all of its lines."""
    covered = {sku: amount for sku, amount in left.items() if covers(rule, sku)}
    group = rule.get("exclusive_group")
    if rule["kind"] == "threshold":
        base = sum(covered.values())
        if covered and base >= rule["min_amount"]:
            yield Proposal(rule["id"], shared(off(rule, base), covered), group)
        return
    for sku, amount in covered.items():
        qty = bought.quantities[sku]
        taken = per_unit(rule, amount, qty) if "off" in rule else by_count(rule, amount, qty)
        yield Proposal(rule["id"], {sku: taken}, group and (group, sku))


def covers(rule: Rule, sku: str) -> bool:
    return not rule.get("skus") or sku in rule["skus"]


def off(rule: Rule, amount: int) -> int:
    percent, fixed = rule["off"].get("percent"), rule["off"].get("amount")
    return int(min(fixed, amount) if percent is None else amount * percent // 100)


def per_unit(rule: Rule, amount: int, qty: int) -> int:
    if rule["off"].get("percent") is None:
        return off(rule, amount // qty) * qty
    return off(rule, amount)


def by_count(rule: Rule, amount: int, qty: int) -> int:
    """Take off each unit the percentage of the last step that its place in the line reaches."""
    steps = sorted((step["nth"], step["percent"]) for step in rule["steps"])
    points = 0
    for place in range(1, qty + 1):
        points += max(((nth, percent) for nth, percent in steps if nth <= place), default=(0, 0))[1]
    return amount * points // (100 * qty)


def shared(amount: int, among: Mapping[str, int]) -> dict[str, int]:
    """Share `amount` out by largest remainder, so that the lines add up to it."""
    whole = sum(among.values())
    if not whole:
        return dict.fromkeys(among, 0)
    shares = {sku: amount * weight // whole for sku, weight in among.items()}
    missing = amount - sum(shares.values())
    by_remainder = sorted(among, key=lambda sku: amount * among[sku] % whole, reverse=True)
    for sku in by_remainder[:missing]:
        shares[sku] += 1
    return shares


def best(proposed: Iterable[Proposal]) -> list[Proposal]:
    ranked = sorted(proposed, key=lambda p: (-sum(p.shares.values()), p.rule))
    kept: dict[object, Proposal] = {}
    for number, proposal in enumerate(ranked):
        alone = proposal.instead_of is None
        kept.setdefault((number,) if alone else ("of", proposal.instead_of), proposal)
    return sorted(kept.values(), key=lambda p: p.rule)


def lowered(left: Left, proposed: Iterable[Proposal]) -> Left:
    lower = dict(left)
    for proposal in proposed:
        for sku, share in proposal.shares.items():
            lower[sku] = max(0, lower[sku] - share)
    return lower


def with_coupons(left: Left, coupons: Sequence[Rule]) -> Left:
    """Use all coupons that go together, or the one that does not, whichever is the best."""
    together: list[Proposal] = []
    alone: list[Proposal] = []
    for coupon in sorted(coupons, key=lambda rule: str(rule["code"])):
        covered = {sku: amount for sku, amount in left.items() if covers(coupon, sku)}
        base = sum(covered.values())
        if covered and base >= coupon.get("min_amount", 0):
            proposal = Proposal(coupon["code"], shared(off(coupon, base), covered), None)
            stackable = coupon.get("stackable", True)
            (together if stackable else alone).append(proposal)
    choices = [lowered(left, choice) for choice in (together, *([one] for one in alone))]
    return min(choices, key=lambda outcome: sum(outcome.values()))
