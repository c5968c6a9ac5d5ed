"""Reading settlements: what the provider pays out, beside what it told us before."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from target_app.payments.provider_lists import SettledLine
from target_app.reconciliation.mismatches import GRACE_S, record

if TYPE_CHECKING:
    from target_app.shop import Shop

PAUSE_S = 60.0
STILL_READ = timedelta(hours=1)
"""For so long after its end a day is read on: its last sales are in no earlier file."""

TURN = """
UPDATE provider_readings SET next_at = now() + $1 * interval '1 second'
WHERE name = 'settlement' AND next_at <= now() RETURNING now() AS at, since
"""
READ = "UPDATE provider_readings SET read_at = now() WHERE name = 'settlement'"
# What was known before the file was asked for has to be in it; what is new in it may be on its way.
# Taken and told are two instants: so close to midnight they can be of two days.
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
    FROM provider_entries
    WHERE ref = ANY($2) OR (at > $8::timestamptz + interval '1 second'
                            AND at < $8 + interval '86399 seconds')
) told USING (ref)
WHERE CASE WHEN line.ref IS NULL THEN told.seen_at < $5
           WHEN told.ref IS NULL THEN line.ts >= $6 AND line.ts < $5 - $7 * interval '1 second'
           ELSE line.amount <> told.amount END
"""


async def meet_settlement(shop: "Shop") -> None:
    """Compare the settlement with the events; replicas take turns."""
    async with shop.database.connection() as connection:
        turn = await connection.fetchrow(TURN, PAUSE_S)
    if turn is None:
        return
    files = [(day, await shop.provider.settlement(day)) for day in days_to_read(turn["at"])]
    async with shop.database.transaction() as connection:
        for day, lines in files:
            if not isinstance(lines, list):
                return
            since = (turn["at"], turn["since"], GRACE_S, _midnight(day))
            await record(connection, LINES, f"settlement {day}", *_columns(lines), *since)
        await connection.execute(READ)


def days_to_read(at: datetime) -> list[date]:
    """Return the days whose files may still change, in UTC as the provider counts them."""
    return sorted({(at - STILL_READ).astimezone(UTC).date(), at.astimezone(UTC).date()})


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _columns(lines: list[SettledLine]) -> list[list[object]]:
    return [[getattr(line, name) for line in lines] for name in ("ref", "amount", "ts")]
