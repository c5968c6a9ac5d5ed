"""What a run's shop offered, and which checks nobody could have made without the rest.

A check that could not be made is no unknown: the plan says that the shop does not offer what it
needs, and nothing that happens in a run changes that. It is listed, and is not a pass either. What
a check found broken all the same stays broken.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from doorbuster.levels import LEVELS, Offer
from doorbuster.verdicts import Verdict
from reports.evidence import Run

_BOOKS: Final[tuple[Offer, ...]] = ("ledger",)
_MONEY: Final[tuple[Offer, ...]] = ("ledger", "provider")
_BOTH_SIDES: Final[tuple[Offer, ...]] = ("operations", "client_ref", "ledger")

NEEDS: Final[Mapping[str, tuple[Offer, ...]]] = {
    "no_oversell": _BOOKS,
    "stock_conserved": _BOOKS,
    "no_lost_stock": _BOOKS,
    "no_stuck_order": _BOOKS,
    "limits_held": _BOOKS,
    "prices_right": _BOOKS,
    "no_double_charge": _MONEY,
    "no_orphan_charge": _MONEY,
}
"""What a check needs; one that is not named compares what clients were told with the books."""


def needs_of(verdict: Verdict) -> tuple[Offer, ...]:
    """Return what the shop has to offer for a verdict to be possible."""
    if verdict.kind != "invariant":
        return ()
    return NEEDS.get(verdict.name, _BOTH_SIDES)


def impossible(run: Run, verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Return the checks that could not be made, each with what the shop would have to offer."""
    offers = run.timeline.offers
    if offers is None:
        return {}
    found = {}
    for verdict in verdicts:
        lacking = [LEVELS[need] for need in needs_of(verdict) if need not in offers]
        if lacking and verdict.ruling == "unknown":
            found[verdict.name] = "; ".join(lacking)
    return found
