"""Stock strategies: what a hold, its sale and its end do to the counters.

A strategy is a few functions, so that one that differs in a single act says only that. Those
that move units run inside the caller's transaction, and as its last statements: a hot stock row
stays locked from here to the commit, and everybody else who wants a unit waits that long.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from target_app.database.primary import Connection
from target_app.redis.client import Failed


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
StockCare = Callable[[Connection], Awaitable[None]]
StockGuard = Callable[[Sequence[str]], AbstractAsyncContextManager[None]]
CachedStock = Callable[[Sequence[str]], Awaitable[Mapping[str, int] | Failed]]


BY_STOCK_ROW = "s.available >= wanted.qty"


async def no_care(_connection: Connection) -> None:
    """Do nothing: most strategies live by the stock row alone."""


def unguarded(_skus: Sequence[str]) -> AbstractAsyncContextManager[None]:
    return nullcontext()


async def nothing_cached(_skus: Sequence[str]) -> Mapping[str, int] | Failed:
    return {}


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
        take_back: sold to available: goods came back from a buyer.
        write_off: sold to gone for good, told by `adjusted`.
        around: Entered with the SKUs before the transaction that reserves them begins, and left
            once it has ended.
        prepare: What a new sale needs besides its stock rows, in the transaction that starts it.
        upkeep: What every replica sees to each second, outside of any transaction.
        enough: SQL that says at a glance whether `wanted.qty` units of `wanted.sku` are left, where
            `s` is the stock row. A checkout refuses by it before it has locked anything, and sells
            nothing by it; each pays for it, so it must not count more than that.
        cached: What is left of each SKU by a count outside of the database, where there is one.
    """

    reserve: StockAct
    claim: StockAct
    release: StockAct
    retake: StockAct
    take_back: StockAct
    write_off: StockAct
    around: StockGuard = unguarded
    prepare: StockCare = no_care
    upkeep: StockCare = no_care
    enough: str = BY_STOCK_ROW
    cached: CachedStock = nothing_cached
