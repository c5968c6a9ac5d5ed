"""Tables of what is offered to whom: rules, coupons, quotes, carts, and limits for each buyer."""

OFFER_TABLES = """
-- Rules of a version never change; a new set of rules is a new version beside the old ones.
CREATE TABLE IF NOT EXISTS promotions (
    version text NOT NULL, promotion_id text NOT NULL, kind text NOT NULL, rule text NOT NULL,
    PRIMARY KEY (version, promotion_id)
);
CREATE TABLE IF NOT EXISTS coupons (
    code text PRIMARY KEY, rule text NOT NULL, usage_limit bigint, per_user_limit bigint NOT NULL,
    claimed bigint NOT NULL DEFAULT 0 CHECK (claimed >= 0)
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS coupon_claims (
    code text NOT NULL, user_ref text NOT NULL, claimed bigint NOT NULL,
    used bigint NOT NULL DEFAULT 0 CHECK (used >= 0 AND used <= claimed),
    claimed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (code, user_ref)
);
CREATE TABLE IF NOT EXISTS coupon_uses (
    order_id text NOT NULL, code text NOT NULL, user_ref text NOT NULL,
    state text NOT NULL DEFAULT 'used', PRIMARY KEY (order_id, code)
);
CREATE TABLE IF NOT EXISTS allowances (
    sku text NOT NULL, user_ref text NOT NULL, taken bigint NOT NULL CHECK (taken >= 0),
    PRIMARY KEY (sku, user_ref)
);
CREATE TABLE IF NOT EXISTS allowance_uses (
    order_id text NOT NULL, sku text NOT NULL, user_ref text NOT NULL, qty bigint NOT NULL,
    allowed bigint NOT NULL, state text NOT NULL DEFAULT 'taken', PRIMARY KEY (order_id, sku)
);
CREATE TABLE IF NOT EXISTS quotes (
    quote_id text PRIMARY KEY, promotion_version text NOT NULL, user_ref text,
    tier text NOT NULL,
    cart text NOT NULL, total bigint NOT NULL, expires_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS carts (
    cart_id text PRIMARY KEY, version integer NOT NULL, lines text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS order_pricing (
    order_id text PRIMARY KEY, quote_id text, promotion_version text NOT NULL, tier text NOT NULL,
    coupons text NOT NULL, subtotal bigint NOT NULL, priced_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS order_discounts (
    order_id text NOT NULL, rule text NOT NULL, sku text NOT NULL, step text NOT NULL,
    amount bigint NOT NULL, PRIMARY KEY (order_id, rule, sku)
);
"""

EMPTY_OFFERS = """
TRUNCATE promotions, coupons, coupon_claims, coupon_uses, allowances, allowance_uses, quotes, carts,
         order_pricing, order_discounts
"""
