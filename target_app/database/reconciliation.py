"""The tables of what the provider told us, and of where its books and ours differ."""

RECONCILIATION_TABLES = """
-- How far each of the provider's lists has been read, which outlives a sale, and the sale's start:
-- what is older is of a sale whose orders are gone.
CREATE TABLE IF NOT EXISTS provider_readings (
    name text PRIMARY KEY, after text, next_at timestamptz NOT NULL DEFAULT now(),
    since timestamptz NOT NULL DEFAULT now(), read_at timestamptz
);
INSERT INTO provider_readings (name) VALUES ('events'), ('settlement') ON CONFLICT DO NOTHING;
-- Money that moved at the provider. It is to be booked for as long as there is a next try.
CREATE TABLE IF NOT EXISTS provider_entries (
    ref text PRIMARY KEY, kind text NOT NULL, charge_ref text NOT NULL, event_id text NOT NULL,
    order_id text NOT NULL, psp_key text NOT NULL, amount bigint NOT NULL, at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(), tries integer NOT NULL DEFAULT 0,
    next_try_at timestamptz
);
CREATE INDEX IF NOT EXISTS provider_entries_by_charge ON provider_entries (charge_ref);
CREATE INDEX IF NOT EXISTS provider_entries_unbooked ON provider_entries (next_try_at)
    WHERE next_try_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS findings (
    source text NOT NULL, kind text NOT NULL, subject text NOT NULL, order_id text,
    expected bigint NOT NULL, found bigint NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(), resolved_at timestamptz,
    PRIMARY KEY (source, kind, subject)
);
"""

EMPTY_RECONCILIATION = """
TRUNCATE provider_entries, findings;
UPDATE provider_readings SET since = now(), next_at = now(), read_at = NULL
"""
