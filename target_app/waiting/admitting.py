"""The admission that a checkout needs: looked at and spent in the transaction of its order.

The row that spends a ticket appears together with the order or not at all. So a checkout that was
refused can be tried again with the same token, a token can be used for one order only, and that
needs no Redis. A key that has got its answer before is answered again without any admission.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from target_app.database.pool import Database, UnavailableError, UnknownOutcomeError
from target_app.database.primary import Connection
from target_app.orders.checkout import SCOPE, Checkout, KeyTakenError
from target_app.problems import ProblemError
from target_app.waiting.room import Leaving, WaitingRoom
from target_app.waiting.tickets import Admission, Ticket, since_1970_us

GIVEN_UP = ""

NEEDLESS = """
SELECT EXISTS (SELECT 1 FROM idempotency_keys WHERE scope = $1 AND key = $2)
       OR NOT EXISTS (SELECT 1 FROM sale WHERE id = $3 AND starts_at <= now()
                      AND (ends_at IS NULL OR ends_at > now()))
"""
# The lock keeps a second checkout with this ticket from waiting for the first one's commit.
SPEND = """
WITH claim AS (
    SELECT pg_try_advisory_xact_lock(hashtextextended('admission ' || $1, 0)) AS mine
), spent AS (
    INSERT INTO admissions (ticket, key)
    SELECT $1, $2 FROM claim
    WHERE mine AND NOT EXISTS (SELECT 1 FROM idempotency_keys WHERE scope = $3 AND key = $2)
    ON CONFLICT DO NOTHING RETURNING key
)
SELECT mine, (SELECT key FROM spent) AS spent,
       (SELECT key FROM admissions WHERE ticket = $1) AS spent_before,
       EXISTS (SELECT 1 FROM idempotency_keys WHERE scope = $3 AND key = $2) AS answered,
       (SELECT starts_at FROM sale WHERE id = $4) AS starts_at
FROM claim
"""
GIVE_UP = "INSERT INTO admissions (ticket, key) VALUES ($1, $2) ON CONFLICT DO NOTHING"


class NotAdmittedError(ProblemError):
    """403: whoever asks has to go through the waiting room, and why that is."""

    def __init__(self, reason: str) -> None:
        super().__init__(403, "admission_required", details={"reason": reason})


def admission_for(room: WaitingRoom, wish: Checkout, token: str | None) -> Admission:
    """Return the admission in `token`, if it is one for this buyer and this sale, and still holds.

    Raises:
        NotAdmittedError: It is not.
    """
    if token is None:
        raise NotAdmittedError("missing")
    admission = room.admission_in(token)
    if admission is None:
        raise NotAdmittedError("invalid")
    if admission.customer != wish.customer:
        raise NotAdmittedError("other_customer")
    if admission.campaign != wish.campaign_id:
        raise NotAdmittedError("other_sale")
    if time.time() * 1e6 >= admission.expires_us:
        raise NotAdmittedError("expired")
    return admission


async def let_in(
    connection: Connection, room: WaitingRoom, wish: Checkout, *, key: str, token: str | None
) -> None:
    """Spend the admission of a checkout in its transaction, or let pass what needs none.

    That is what the checkout refuses anyway since nothing is on sale, and what it only repeats.

    Raises:
        ProblemError: There is no admission that could be spent; roll back.
        KeyTakenError: Roll back and ask again.
    """
    try:
        admission = admission_for(room, wish, token)
    except NotAdmittedError:
        if await connection.fetchval(NEEDLESS, SCOPE, key, wish.campaign_id):
            return
        raise
    await _spend(connection, admission, key=key)


async def _spend(connection: Connection, admission: Admission, *, key: str) -> None:
    found = await connection.fetchrow(SPEND, admission.id, key, SCOPE, admission.campaign)
    assert found is not None
    if not found["mine"]:
        raise ProblemError(409, "key_in_flight", headers={"Retry-After": "1"})
    if found["answered"] or found["starts_at"] is None:
        return
    if since_1970_us(found["starts_at"]) != admission.opens_us:
        raise NotAdmittedError("other_sale")
    if found["spent"] is not None:
        return
    if found["spent_before"] is None:
        # Whoever held the lock committed after we had begun to look.
        raise KeyTakenError
    raise NotAdmittedError("given_up" if found["spent_before"] == GIVEN_UP else "spent")


async def give_up(
    database: Database, room: WaitingRoom, held: Ticket | Admission, *, how: Leaving
) -> None:
    """End a ticket for good, and any admission that it led to."""
    await _void(database, held)
    await room.leave(held, how=how)


async def dismiss(database: Database, room: WaitingRoom, ticket: Ticket) -> None:
    """Send away who waits for what is sold; only the few who are inside cost a row."""
    if await room.leave(ticket, how="sold_out"):
        await _void(database, ticket)


async def _void(database: Database, held: Ticket | Admission) -> None:
    async with database.connection() as connection:
        await connection.execute(GIVE_UP, held.id, GIVEN_UP)


@asynccontextmanager
async def place_inside(
    database: Database, room: WaitingRoom, wish: Checkout, *, token: str | None
) -> AsyncIterator[None]:
    """Give the place back when the checkout is through, with an order or because all is sold.

    After any other refusal its buyer may try again, until the lease ends.
    """
    admission = None
    with suppress(NotAdmittedError):
        admission = admission_for(room, wish, token)
    try:
        yield
    except ProblemError as error:
        if admission is not None and error.code == "sold_out":
            await _sold_out(database, room, admission)
        raise
    if admission is not None:
        await room.leave(admission, how="checked_out")


async def _sold_out(database: Database, room: WaitingRoom, admission: Admission) -> None:
    try:
        await give_up(database, room, admission, how="sold_out")
    except (UnavailableError, UnknownOutcomeError):
        return  # the lease ends by itself, and the refusal is what counts
