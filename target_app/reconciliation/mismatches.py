"""Where the books differ: found, kept with the time since which, and resolved only by the books.

| kind | our books | the provider's |
| --- | --- | --- |
| `charge_only` | no order that owes anything | money taken |
| `order_only` | an order that was paid | no money taken |
| `amount_diff` | an order that was paid | another amount |
| `double_charge` | one order | money taken more than once |
"""

from typing import Any

from target_app.database.primary import Connection
from target_app.instants import rfc3339
from target_app.orders.states import OWING

MISMATCHES = ("charge_only", "order_only", "amount_diff", "double_charge")

GRACE_S = 5.0
"""How long two books may differ because one of them was quicker."""

LISTED_MAX = 1000

# What of its price an order owes: what went back of money beyond the price takes nothing off it.
ORDERS = """
SELECT CASE WHEN number > 1 THEN 'double_charge' WHEN expected = 0 THEN 'charge_only'
            WHEN found = 0 THEN 'order_only' ELSE 'amount_diff' END AS kind,
       order_id AS subject, order_id, expected, found
FROM (
    SELECT order_id, o.status, coalesce(o.owed, 0) AS expected, coalesce(c.kept, 0) AS found,
           coalesce(c.number, 0) AS number
    FROM (
        SELECT o.order_id, o.status, o.updated_at, coalesce(r.pending, false) AS pending,
               CASE WHEN o.status = ANY($2)
                    THEN o.total - greatest(coalesce(r.returned, 0)
                                            - greatest(coalesce(p.taken, 0) - o.total, 0), 0)
               END AS owed
        FROM orders o
        LEFT JOIN (SELECT order_id, sum(amount)::bigint AS taken FROM payments
                   WHERE state IN ('captured', 'refunded') GROUP BY order_id) p USING (order_id)
        LEFT JOIN (SELECT order_id, bool_or(state = 'pending') AS pending,
                          (sum(amount) FILTER (WHERE state = 'succeeded'))::bigint AS returned
                   FROM refunds GROUP BY order_id) r USING (order_id)
    ) o
    FULL JOIN (
        SELECT c.order_id, max(c.seen_at) AS seen_at, sum(c.amount - r.returned)::bigint AS kept,
               count(*) FILTER (WHERE c.amount > r.returned) AS number
        FROM provider_entries c, LATERAL (
            SELECT coalesce(sum(amount), 0)::bigint AS returned FROM provider_entries
            WHERE charge_ref = c.ref AND kind = 'refund'
        ) r
        WHERE c.kind = 'charge' GROUP BY c.order_id
    ) c USING (order_id)
    WHERE NOT coalesce(o.pending, false)
      AND greatest(o.updated_at, c.seen_at) < now() - $3 * interval '1 second'
) met
WHERE number > 1 OR (expected <> found AND status IS DISTINCT FROM 'review')
"""
RECORD = """
WITH current AS ({current}), kept AS (
    INSERT INTO findings (source, kind, subject, order_id, expected, found)
    SELECT $1, kind, subject, order_id, expected, found FROM current
    ON CONFLICT (source, kind, subject) DO UPDATE
    SET expected = excluded.expected, found = excluded.found, resolved_at = NULL,
        first_seen_at = CASE WHEN findings.resolved_at IS NULL THEN findings.first_seen_at
                             ELSE now() END
    WHERE findings.resolved_at IS NOT NULL
       OR (findings.expected, findings.found) <> (excluded.expected, excluded.found)
)
UPDATE findings f SET resolved_at = now()
WHERE f.source = $1 AND f.resolved_at IS NULL
  AND NOT EXISTS (SELECT FROM current c WHERE (c.kind, c.subject) = (f.kind, f.subject))
"""
OPEN = """
SELECT kind, source, subject, order_id, expected, found, first_seen_at,
       extract(epoch FROM now() - first_seen_at)::float8 AS age_s
FROM (
    SELECT kind, source, subject, order_id, expected, found, first_seen_at
    FROM findings WHERE resolved_at IS NULL
    UNION ALL
    SELECT 'unapplied_event', 'webhooks', event_id, order_id, NULL, NULL, received_at
    FROM webhook_events WHERE NOT applied
) standing
ORDER BY first_seen_at, kind, subject LIMIT $1
"""
READINGS = "SELECT name, read_at FROM provider_readings ORDER BY name"


async def meet_orders(connection: Connection) -> None:
    """Compare what each order owes with what was charged for it."""
    await record(connection, ORDERS, "events", list(OWING), GRACE_S)


async def record(connection: Connection, current: str, source: str, *values: object) -> None:
    """Keep what the query `current` finds now, and close what `source` no longer finds."""
    await connection.execute(RECORD.format(current=current), source, *values)


async def standing(connection: Connection) -> dict[str, Any]:
    """Return what differs, the oldest first, and when each list was last read as a whole."""
    findings = await connection.fetch(OPEN, LISTED_MAX)
    readings = await connection.fetch(READINGS)
    return {
        "findings": [{**row, "first_seen_at": rfc3339(row["first_seen_at"])} for row in findings],
        "read_at": {row["name"]: row["read_at"] and rfc3339(row["read_at"]) for row in readings},
    }
