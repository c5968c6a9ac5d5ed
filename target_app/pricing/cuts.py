"""Cuts: what a rule would take off which lines, which of them count, and taking them off.

All cuts of one step are proposed from the same amounts, those after the step before. What they
come to together therefore does not depend on the order in which they are taken off.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

Amounts = Mapping[str, int]
"""What each SKU of the cart still comes to."""


@dataclass(frozen=True)
class Cut:
    """What the rule `rule` takes off each line; of those with the same `instead_of` one counts."""

    rule: str
    title: str
    shares: Amounts
    instead_of: Hashable | None = None

    @property
    def amount(self) -> int:
        return sum(self.shares.values())


def allocated(amount: int, weights: Sequence[int]) -> list[int]:
    """Share `amount` out in proportion to `weights`, by largest remainder: nothing is lost.

    No share is above its weight as long as `amount` is not above their sum.
    """
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    shares = [amount * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(amount * weights[n] % whole), n))
    for n in by_remainder[: amount - sum(shares)]:
        shares[n] += 1
    return shares


def shared_out(amount: int, among: Amounts) -> dict[str, int]:
    return dict(zip(among, allocated(amount, list(among.values())), strict=True))


def best_of_each(cuts: Iterable[Cut]) -> list[Cut]:
    """Keep every cut that stands alone and the largest of each exclusive group, by rule."""
    kept: dict[Hashable, Cut] = {}
    for n, cut in enumerate(sorted(cuts, key=lambda cut: (-cut.amount, cut.rule))):
        kept.setdefault(n if cut.instead_of is None else ("group", cut.instead_of), cut)
    return sorted(kept.values(), key=lambda cut: cut.rule)


def taken_off(amounts: Amounts, cuts: Iterable[Cut]) -> tuple[dict[str, int], list[Cut]]:
    """Return what is left, never below nothing, and what each cut really took."""
    left = dict(amounts)
    taken = []
    for cut in cuts:
        shares = {sku: min(share, left[sku]) for sku, share in cut.shares.items()}
        for sku, share in shares.items():
            left[sku] -= share
        if any(shares.values()):
            taken.append(replace(cut, shares={sku: s for sku, s in shares.items() if s}))
    return left, taken
