"""What is done to a campaign that runs: stop it, let it go on, give it other rules."""

from collections.abc import Sequence

import msgspec

from target_app.database.primary import Connection
from target_app.pricing.linter import Finding, Supply, approved
from target_app.pricing.rule_book import RuleBook, rules_of, store_promotions
from target_app.pricing.rules import Promotion, Rules
from target_app.problems import ProblemError

PAUSE = """
UPDATE sale SET paused_at = coalesce(paused_at, now())
WHERE id = $1 AND (ends_at IS NULL OR ends_at > now()) RETURNING id
"""
RESUME = """
UPDATE sale SET paused_at = NULL WHERE id = $1 AND (ends_at IS NULL OR ends_at > now()) RETURNING id
"""
VERSION = "SELECT promotion_version FROM sale WHERE id = $1 FOR UPDATE"
STOCK = """
SELECT s.sku, s.initial, p.sku IS NOT NULL AS sold
FROM stock s LEFT JOIN products p ON p.sku = s.sku
"""


async def pause(connection: Connection, campaign: str) -> None:
    """Stop checkouts, whatever stands between T0 and the end. Twice is the same as once."""
    await _changed(connection, PAUSE, campaign)


async def resume(connection: Connection, campaign: str) -> None:
    await _changed(connection, RESUME, campaign)


async def _changed(connection: Connection, statement: str, campaign: str) -> None:
    if await connection.fetchval(statement, campaign) is not None:
        return
    if await connection.fetchval("SELECT true FROM sale WHERE id = $1", campaign):
        raise ProblemError(409, "campaign_ended")
    raise ProblemError(404, "unknown_campaign")


async def replace_promotions(
    connection: Connection, book: RuleBook, promotions: Sequence[Promotion], *, campaign: str
) -> tuple[Rules, tuple[Finding, ...]]:
    """Give a campaign other promotions, as a new version; quotes of the one before are stale.

    Raises:
        ProblemError: There is no such campaign, or something about the rules is wrong.
    """
    version = await connection.fetchval(VERSION, campaign)
    before = await book.rules(connection, version) if version else None
    if before is None:
        raise ProblemError(404, "unknown_campaign")
    rules = rules_of(
        starts_at=before.starts_at,
        ends_at=before.ends_at,
        offers=before.offers,
        promotions=promotions,
        coupons=tuple(before.coupons.values()),
    )
    stock = await connection.fetch(STOCK)
    units = {row["sku"]: row["initial"] for row in stock if row["sold"]}
    gifts = {row["sku"]: row["initial"] for row in stock if not row["sold"]}
    warnings = approved(rules, Supply(units, gifts))
    await store_promotions(connection, rules, sale=campaign)
    return rules, warnings


class PromotionSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All promotions of a campaign, in place of those that it had."""

    promotions: tuple[Promotion, ...]
