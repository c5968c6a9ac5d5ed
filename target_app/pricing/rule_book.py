"""The rules in the database: written with a sale, read by version and then kept."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from target_app.database.primary import Connection
from target_app.pricing.pricing import PRICING_VERSION
from target_app.pricing.rules import Coupon, Offer, Promotion, Rules

KEPT_MAX = 8
"""Versions that a replica keeps; more than two are only asked for while rules change."""

STORE_PROMOTIONS = """
INSERT INTO promotions (version, promotion_id, kind, rule)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING
"""
STORE_COUPONS = """
INSERT INTO coupons (code, rule, usage_limit, per_user_limit)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
"""
PROMOTIONS = "SELECT rule FROM promotions WHERE version = $1 ORDER BY promotion_id"
COUPONS = "SELECT rule FROM coupons ORDER BY code"
OFFERS = "SELECT sku, price, coalesce(list_price, price) AS list_price FROM products ORDER BY sku"
VERSION = "UPDATE sale SET promotion_version = $2 WHERE id = $1"
SALE = "SELECT starts_at, ends_at, promotion_version FROM sale WHERE promotion_version = $1"


def rules_of(
    *,
    starts_at: datetime,
    ends_at: datetime | None,
    offers: Mapping[str, Offer],
    promotions: Sequence[Promotion] = (),
    coupons: Sequence[Coupon] = (),
) -> Rules:
    """Return rules with the version that these values have, wherever and whenever computed."""
    sorted_promotions = tuple(sorted(promotions, key=lambda rule: rule.id))
    known = {coupon.code: coupon for coupon in sorted(coupons, key=lambda coupon: coupon.code)}
    content = msgspec.json.encode(
        [starts_at.timestamp(), ends_at and ends_at.timestamp(), offers, sorted_promotions, known],
        order="sorted",
    )
    return Rules(
        version=f"{PRICING_VERSION}-{hashlib.sha256(content).hexdigest()[:16]}",
        starts_at=starts_at,
        ends_at=ends_at,
        offers=offers,
        promotions=sorted_promotions,
        coupons=known,
    )


async def store_promotions(connection: Connection, rules: Rules, *, sale: str) -> None:
    """Make `rules` those of the sale; its products and coupons are expected to be theirs."""
    written = [msgspec.json.encode(rule).decode() for rule in rules.promotions]
    kinds = [str(rule.__struct_config__.tag) for rule in rules.promotions]
    ids = [rule.id for rule in rules.promotions]
    await connection.execute(STORE_PROMOTIONS, rules.version, ids, kinds, written)
    await connection.execute(VERSION, sale, rules.version)


async def store_coupons(connection: Connection, coupons: Mapping[str, Coupon]) -> None:
    await connection.execute(
        STORE_COUPONS,
        list(coupons),
        [msgspec.json.encode(coupon).decode() for coupon in coupons.values()],
        [coupon.usage_limit for coupon in coupons.values()],
        [coupon.per_user_limit for coupon in coupons.values()],
    )


class RuleBook:
    """Rules by version; a version's rules never change, so one that was read stays true."""

    def __init__(self) -> None:
        self._kept: dict[str, Rules] = {}

    async def rules(self, connection: Connection, version: str) -> Rules | None:
        """Return the rules of the sale's current `version`, None if it is no longer current."""
        if version not in self._kept:
            found = await _read(connection, version)
            if found is None:
                return None
            while len(self._kept) >= KEPT_MAX:
                del self._kept[next(iter(self._kept))]
            self._kept[version] = found
        return self._kept[version]


async def _read(connection: Connection, version: str) -> Rules | None:
    sale = await connection.fetchrow(SALE, version)
    if sale is None:
        return None
    offers = await connection.fetch(OFFERS)
    promotions = await connection.fetch(PROMOTIONS, version)
    coupons = await connection.fetch(COUPONS)
    rules = rules_of(
        starts_at=sale["starts_at"],
        ends_at=sale["ends_at"],
        offers={row["sku"]: Offer(row["price"], row["list_price"]) for row in offers},
        promotions=[msgspec.json.decode(row["rule"], type=Promotion) for row in promotions],
        coupons=[msgspec.json.decode(row["rule"], type=Coupon) for row in coupons],
    )
    # A sale that was started anew between the reads would otherwise mix with the one before.
    return rules if rules.version == version else None
