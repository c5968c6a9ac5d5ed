"""How many units of an item one buyer may have: a counter that carries its own condition."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from target_app.database.primary import Connection
from target_app.problems import ProblemError
from target_app.reservations import Line

TAKE = """
WITH counted AS (
    INSERT INTO allowances (sku, user_ref, taken) SELECT $1, $2, $3 WHERE $3 <= $4::bigint
    ON CONFLICT (sku, user_ref) DO UPDATE SET taken = allowances.taken + excluded.taken
    WHERE allowances.taken + excluded.taken <= $4
    RETURNING taken
)
INSERT INTO allowance_uses (order_id, sku, user_ref, qty, allowed)
SELECT $5, $1, $2, $3, $4 FROM counted RETURNING qty
"""


class TakeAllowances(Protocol):
    """Counts what an order takes of its buyer's allowance, or refuses."""

    async def __call__(
        self,
        connection: Connection,
        lines: Sequence[Line],
        *,
        limits: Mapping[str, int],
        user_ref: str,
        order_id: str,
    ) -> None: ...


async def take_allowances(
    connection: Connection,
    lines: Sequence[Line],
    *,
    limits: Mapping[str, int],
    user_ref: str,
    order_id: str,
) -> None:
    """Count what an order takes of its buyer's allowance; `lines` must be sorted by SKU.

    Two orders of one buyer at once queue for the counter's row, and the second is judged by what
    the first has left. What an order took comes back when its hold ends.

    Raises:
        ProblemError: It would be more than one buyer may have; roll back.
    """
    for line in lines:
        if line.sku not in limits:
            continue
        limit = limits[line.sku]
        values = (line.sku, user_ref, line.qty, limit, order_id)
        if await connection.fetchval(TAKE, *values) is None:
            details = {"sku": line.sku, "limit_per_user": limit, "retryable": False}
            raise ProblemError(409, "limit_exceeded", details=details)
