"""Reading the settlement of the day: what the provider pays out, beside what it told us before."""

from datetime import UTC
from typing import TYPE_CHECKING

from target_app.reconciliation.mismatches import GRACE_S, record

if TYPE_CHECKING:
    from target_app.shop import Shop

PAUSE_S = 60.0

TURN = """
UPDATE provider_readings SET next_at = now() + $1 * interval '1 second'
WHERE name = 'settlement' AND next_at <= now() RETURNING now() AS at, since
"""
READ = "UPDATE provider_readings SET read_at = now() WHERE name = 'settlement'"
# What was known before the file was asked for has to be in it; what is new in it may be on its way.
LINES = """
SELECT CASE WHEN line.number > 1 THEN 'double_charge' WHEN told.ref IS NULL THEN 'charge_only'
            WHEN line.ref IS NULL THEN 'order_only' ELSE 'amount_diff' END AS kind,
       ref AS subject, told.order_id, coalesce(told.amount, 0) AS expected,
       coalesce(line.amount, 0) AS found
FROM (
    SELECT ref, count(*) AS number, sum(amount)::bigint AS amount, max(ts) AS ts
    FROM unnest($2::text[], $3::bigint[], $4::timestamptz[]) AS line (ref, amount, ts)
    GROUP BY ref
) line
FULL JOIN (
    SELECT ref, order_id, seen_at, CASE kind WHEN 'refund' THEN -amount ELSE amount END AS amount
    FROM provider_entries WHERE at >= date_trunc('day', $5::timestamptz, 'UTC')
) told USING (ref)
WHERE CASE WHEN line.ref IS NULL THEN told.seen_at < $5
           WHEN told.ref IS NULL THEN line.ts >= $6 AND line.ts < $5 - $7 * interval '1 second'
           ELSE line.amount <> told.amount END
"""


async def meet_settlement(shop: "Shop") -> None:
    """Compare today's settlement with the events; replicas take turns."""
    async with shop.database.connection() as connection:
        turn = await connection.fetchrow(TURN, PAUSE_S)
    if turn is None:
        return
    lines = await shop.provider.settlement(turn["at"].astimezone(UTC).date())
    if not isinstance(lines, list):
        return
    columns = ([getattr(line, name) for line in lines] for name in ("ref", "amount", "ts"))
    async with shop.database.transaction() as connection:
        await record(connection, LINES, "settlement", *columns, turn["at"], turn["since"], GRACE_S)
        await connection.execute(READ)
