"""Which of the coupons that a buyer shows are used, and what they take off."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from target_app.pricing.cuts import Amounts, Cut, shared_out, taken_off
from target_app.pricing.quote import UnusedCoupon
from target_app.pricing.rules import Coupon, Tier


@dataclass(frozen=True)
class UsedCoupons:
    """What is left of each line, what each coupon took, and the coupons that took nothing."""

    left: Amounts
    cuts: tuple[Cut, ...]
    unused: tuple[UnusedCoupon, ...]


def used_coupons(
    shown: Iterable[str],
    known: Mapping[str, Coupon],
    amounts: Amounts,
    *,
    at: datetime,
    tier: Tier,
) -> UsedCoupons:
    """Use the coupons in the way that is best for the buyer.

    Either all that may be combined, or a single one that may not: showing one more coupon only
    adds a choice and can never make the cart dearer.
    """
    cuts: dict[str, Cut] = {}
    unused: list[UnusedCoupon] = []
    for code in sorted(set(shown)):
        found = _cut(code, known, amounts, at=at, tier=tier)
        if isinstance(found, Cut):
            cuts[code] = found
        else:
            unused.append(UnusedCoupon(code, found))
    together = [cut for code, cut in cuts.items() if known[code].stackable]
    alone = [[cut] for code, cut in cuts.items() if not known[code].stackable]
    left, taken = min(
        (taken_off(amounts, choice) for choice in (together, *alone)),
        key=lambda outcome: sum(outcome[0].values()),
    )
    used = {cut.rule for cut in taken}
    chosen_alone = any(not known[code].stackable for code in used)
    for code in cuts.keys() - used:
        conflict = chosen_alone or not known[code].stackable
        unused.append(UnusedCoupon(code, "not_stackable" if conflict else "nothing_left"))
    return UsedCoupons(left, tuple(taken), tuple(sorted(unused, key=lambda coupon: coupon.code)))


def _cut(
    code: str, known: Mapping[str, Coupon], amounts: Amounts, *, at: datetime, tier: Tier
) -> Cut | Literal["unknown", "not_now", "not_reached"]:
    coupon = known.get(code)
    if coupon is None:
        return "unknown"
    if not coupon.holds(at, tier):
        return "not_now"
    covered = {sku: amount for sku, amount in amounts.items() if coupon.covers(sku)}
    base = sum(covered.values())
    if not covered or base < coupon.min_amount:
        return "not_reached"
    return Cut(code, coupon.title or code, shared_out(coupon.off.of(base), covered))
