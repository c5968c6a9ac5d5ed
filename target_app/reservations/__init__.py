"""Stock strategies: what a hold, its sale and its end do to the counters.

A strategy is four functions, so that one that differs in a single act says only that. Each runs
inside the caller's transaction, and as its last statements: a hot stock row stays locked from
here to the commit, and everybody else who wants a unit waits that long.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from target_app.database.primary import Connection


class Line(NamedTuple):
    """So many units of one SKU."""

    sku: str
    qty: int


class SoldOutError(Exception):
    """Too few units of `sku` are left; the transaction must be rolled back."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"{sku} is sold out")
        self.sku = sku


StockAct = Callable[[Connection, Sequence[Line]], Awaitable[None]]


@dataclass(frozen=True)
class Reservations:
    """How units move between available, reserved and sold.

    `lines` must be sorted by SKU: two buyers of the same two SKUs would otherwise wait for each
    other for ever.

    Attributes:
        reserve: available to reserved, or `SoldOutError`.
        claim: reserved to sold.
        release: reserved to available.
        retake: available to sold, or `SoldOutError`: the hold had ended before the money came.
    """

    reserve: StockAct
    claim: StockAct
    release: StockAct
    retake: StockAct
