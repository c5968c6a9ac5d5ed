"""Look up what a buyer has, compare, and count the new order in afterwards.

Two orders of one buyer at once both find that they have had nothing yet.
"""

from collections.abc import Mapping, Sequence

from target_app.database.primary import Connection
from target_app.orders.checkout import CheckedOut, Checkout, check_out
from target_app.orders.transitions import Change
from target_app.problems import ProblemError
from target_app.reservations import Line

TAKEN = "SELECT taken FROM allowances WHERE sku = $1 AND user_ref = $2"
COUNT_IN = """
WITH counted AS (
    INSERT INTO allowances (sku, user_ref, taken) VALUES ($1, $2, $3)
    ON CONFLICT (sku, user_ref) DO UPDATE SET taken = allowances.taken + excluded.taken
)
INSERT INTO allowance_uses (order_id, sku, user_ref, qty, allowed) VALUES ($5, $1, $2, $3, $4)
"""


async def check_out_unlimited(
    change: Change, wish: Checkout, *, key: str, hold_s: float
) -> CheckedOut:
    change.take_allowances = take_allowances
    return await check_out(change, wish, key=key, hold_s=hold_s)


async def take_allowances(
    connection: Connection,
    lines: Sequence[Line],
    *,
    limits: Mapping[str, int],
    user_ref: str,
    order_id: str,
) -> None:
    for line in lines:
        if line.sku not in limits:
            continue
        limit = limits[line.sku]
        taken = await connection.fetchval(TAKEN, line.sku, user_ref) or 0
        if taken + line.qty > limit:
            details = {"sku": line.sku, "limit_per_user": limit, "retryable": False}
            raise ProblemError(409, "limit_exceeded", details=details)
        await connection.execute(COUNT_IN, line.sku, user_ref, line.qty, limit, order_id)
