"""Holding the orders whose money has differed for long: from then on people decide about them."""

import logging
from typing import TYPE_CHECKING

from target_app.payments.reviewing import HOLDABLE, Decision, decide
from target_app.problems import ProblemError

if TYPE_CHECKING:
    from target_app.shop import Shop

log = logging.getLogger(__name__)

HOLD_AFTER_S = 300.0
"""What the shop's own jobs can set right they have set right by then."""

AT_ONCE = 100
OPERATOR = "reconciliation"

# Once for each finding: whoever ends the review has seen it.
DUE = """
SELECT DISTINCT ON (f.order_id) f.order_id, f.kind, f.expected, f.found
FROM findings f JOIN orders o USING (order_id)
WHERE f.resolved_at IS NULL AND f.first_seen_at < now() - $1 * interval '1 second'
  AND o.status = ANY($2)
  AND NOT EXISTS (SELECT FROM decisions d WHERE d.order_id = f.order_id
                  AND d.operator = $3 AND d.at >= f.first_seen_at)
ORDER BY f.order_id, f.first_seen_at LIMIT $4
"""


async def hold_mismatched(shop: "Shop") -> None:
    """Put orders in review that a finding has stood about; replicas may do it side by side."""
    async with shop.database.connection() as connection:
        rows = await connection.fetch(DUE, HOLD_AFTER_S, sorted(HOLDABLE), OPERATOR, AT_ONCE)
    for row in rows:
        note = f"{row['kind']}: {row['expected']} expected, {row['found']} found"
        try:
            await decide(shop, Decision("hold", OPERATOR, note), order_id=row["order_id"])
        except ProblemError as error:
            log.info("%s is not held yet: %s", row["order_id"], error.code)
