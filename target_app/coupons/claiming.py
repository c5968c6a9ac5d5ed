"""Claiming coupons and using them: counters that carry their own conditions.

A claim counts against the coupon's limits once and for all. An order uses up a claim, or makes
one where the coupon need not be claimed first; when its hold ends the buyer has the claim back.
"""

from collections.abc import Sequence

import asyncpg
import msgspec

from target_app.database.primary import Connection
from target_app.pricing.rules import Coupon
from target_app.problems import ProblemError

FOUND = """
SELECT c.code, c.rule, c.per_user_limit, now() AS at,
       c.usage_limit IS NOT NULL AND c.claimed >= c.usage_limit AS exhausted,
       coalesce(held.claimed, 0) >= c.per_user_limit AS had,
       coalesce(held.claimed - held.used, 0) AS unused
FROM coupons c LEFT JOIN coupon_claims held ON held.code = c.code AND held.user_ref = $2
WHERE c.code = ANY($1::text[]) ORDER BY c.code
"""
HOLD = """
INSERT INTO coupon_claims (code, user_ref, claimed, used) VALUES ($1, $2, 1, $3)
ON CONFLICT (code, user_ref) DO UPDATE
SET claimed = coupon_claims.claimed + 1, used = coupon_claims.used + excluded.used
WHERE coupon_claims.claimed < $4
RETURNING claimed
"""
COUNT = """
UPDATE coupons SET claimed = claimed + 1
WHERE code = $1 AND (usage_limit IS NULL OR claimed < usage_limit)
RETURNING claimed
"""
USE = """
UPDATE coupon_claims SET used = used + 1 WHERE code = $1 AND user_ref = $2 AND used < claimed
RETURNING used
"""
NOTE = "INSERT INTO coupon_uses (order_id, code, user_ref) VALUES ($1, $2, $3)"


async def claim(connection: Connection, code: str, *, user_ref: str) -> int:
    """Give `user_ref` one more of a coupon; return how many that makes.

    Raises:
        ProblemError: There is no such coupon, none is left, or this buyer has had theirs.
    """
    for coupon in await connection.fetch(FOUND, [code], user_ref):
        rule = msgspec.json.decode(coupon["rule"], type=Coupon)
        if rule.ends_at is not None and coupon["at"] >= rule.ends_at:
            raise _exhausted(code)
        _refuse_hopeless(coupon)
        return await _counted(connection, coupon, user_ref=user_ref, used=0)
    raise ProblemError(404, "unknown_coupon", details={"coupon": code})


async def refuse_unusable(
    connection: Connection, codes: Sequence[str], *, user_ref: str | None
) -> None:
    """Refuse coupons that `user_ref`, or nobody in particular, plainly could not use now.

    A refusal may rest on a read; using them is judged again, by the counters.
    """
    for coupon in await connection.fetch(FOUND, list(codes), user_ref):
        if not coupon["unused"]:
            _refuse_unclaimed(coupon)
            _refuse_hopeless(coupon)


async def use(
    connection: Connection, codes: Sequence[str], *, user_ref: str, order_id: str
) -> None:
    """Use coupons up for an order.

    Raises:
        ProblemError: One of them cannot be used by this buyer now; roll back.
    """
    for coupon in await connection.fetch(FOUND, sorted(codes), user_ref):
        if await connection.fetchval(USE, coupon["code"], user_ref) is None:
            _refuse_unclaimed(coupon)
            _refuse_hopeless(coupon)
            await _counted(connection, coupon, user_ref=user_ref, used=1)
        await connection.execute(NOTE, order_id, coupon["code"], user_ref)


async def _counted(
    connection: Connection, coupon: asyncpg.Record, *, user_ref: str, used: int
) -> int:
    """Count a claim for its buyer, then for the coupon: that row is hot and locked last."""
    code = coupon["code"]
    held = await connection.fetchval(HOLD, code, user_ref, used, coupon["per_user_limit"])
    if held is None:
        raise _already_claimed(code)
    if await connection.fetchval(COUNT, code) is None:
        raise _exhausted(code)
    return int(held)


def _refuse_unclaimed(coupon: asyncpg.Record) -> None:
    if msgspec.json.decode(coupon["rule"], type=Coupon).claim_first:
        details = {"coupon": coupon["code"], "reason": "not_claimed"}
        raise ProblemError(422, "coupon_invalid", details=details)


def _refuse_hopeless(coupon: asyncpg.Record) -> None:
    if coupon["had"]:
        raise _already_claimed(coupon["code"])
    if coupon["exhausted"]:
        raise _exhausted(coupon["code"])


def _already_claimed(code: str) -> ProblemError:
    return ProblemError(409, "already_claimed", details={"coupon": code})


def _exhausted(code: str) -> ProblemError:
    return ProblemError(409, "coupon_exhausted", details={"coupon": code, "retryable": False})
