"""The shop's tables, created by whichever replica starts first.

No foreign keys: each would lock the referenced row on every insert, and rows are only ever
written together, in one transaction, by the functions beside this one.
"""

import asyncio

from target_app.database.admissions import ADMISSION_TABLE
from target_app.database.offers import OFFER_TABLES
from target_app.database.pool import Database, UnavailableError, UnknownOutcomeError
from target_app.database.reconciliation import RECONCILIATION_TABLES

SCHEMA_LOCK = 0x5A1E
"""Advisory lock that replicas starting together queue for."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS sale (
    id text PRIMARY KEY, starts_at timestamptz NOT NULL, ends_at timestamptz,
    preheat_at timestamptz, paused_at timestamptz, promotion_version text NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS products (
    sku text PRIMARY KEY, title text NOT NULL, price bigint NOT NULL, list_price bigint,
    category text, limit_per_user bigint
);
-- Half-empty pages leave room for a hot row's next version beside it, which spares the index.
CREATE TABLE IF NOT EXISTS stock (
    sku text PRIMARY KEY, initial bigint NOT NULL, adjusted bigint NOT NULL DEFAULT 0,
    available bigint NOT NULL CHECK (available >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold bigint NOT NULL DEFAULT 0 CHECK (sold >= 0), low_stock_at bigint
) WITH (fillfactor = 50);
-- Where a strategy keeps units of a SKU outside of its stock row, that row counts only the rest.
CREATE TABLE IF NOT EXISTS stock_units (
    sku text NOT NULL, number bigint NOT NULL, state text NOT NULL DEFAULT 'free',
    PRIMARY KEY (sku, number)
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS stock_units_free ON stock_units (sku, number) WHERE state = 'free';
CREATE INDEX IF NOT EXISTS stock_units_held ON stock_units (sku, number) WHERE state = 'held';
CREATE TABLE IF NOT EXISTS stock_buckets (
    sku text NOT NULL, bucket integer NOT NULL,
    available bigint NOT NULL CHECK (available >= 0),
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold bigint NOT NULL DEFAULT 0 CHECK (sold >= 0), PRIMARY KEY (sku, bucket)
) WITH (fillfactor = 50);
-- Whoever reads stock reads this: one snapshot of all the places in which units are counted.
-- Replacing a view would wait for its readers, and everybody else for us.
DO $$ BEGIN IF to_regclass('inventory') IS NULL THEN
    CREATE VIEW inventory AS SELECT s.sku, s.initial, s.adjusted, s.low_stock_at,
        s.available
        + (SELECT coalesce(sum(b.available), 0)::bigint FROM stock_buckets b WHERE b.sku = s.sku)
        + (SELECT count(*) FROM stock_units u WHERE u.sku = s.sku AND u.state = 'free')
        AS available,
        s.reserved
        + (SELECT coalesce(sum(b.reserved), 0)::bigint FROM stock_buckets b WHERE b.sku = s.sku)
        + (SELECT count(*) FROM stock_units u WHERE u.sku = s.sku AND u.state = 'held')
        AS reserved,
        s.sold
        + (SELECT coalesce(sum(b.sold), 0)::bigint FROM stock_buckets b WHERE b.sku = s.sku)
        + (SELECT count(*) FROM stock_units u WHERE u.sku = s.sku AND u.state = 'sold')
        AS sold
    FROM stock s;
END IF; END $$;
CREATE TABLE IF NOT EXISTS alerts (
    sku text PRIMARY KEY, at timestamptz NOT NULL, available bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
    order_id text PRIMARY KEY, client_ref text NOT NULL, user_ref text NOT NULL, channel text,
    status text NOT NULL, total bigint NOT NULL, currency text NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL, version integer NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_client_ref ON orders (client_ref);
CREATE INDEX IF NOT EXISTS orders_held ON orders (expires_at) WHERE status = 'pending_payment';
CREATE TABLE IF NOT EXISTS order_lines (
    order_id text NOT NULL, sku text NOT NULL, qty bigint NOT NULL CHECK (qty > 0),
    unit_price bigint NOT NULL, PRIMARY KEY (order_id, sku)
);
CREATE TABLE IF NOT EXISTS reservations (
    reservation_id text PRIMARY KEY, order_id text NOT NULL, sku text NOT NULL,
    qty bigint NOT NULL, state text NOT NULL, expires_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS reservations_by_order ON reservations (order_id);
CREATE TABLE IF NOT EXISTS payments (
    payment_id text PRIMARY KEY, order_id text NOT NULL, request_key text, method text NOT NULL,
    psp_key text NOT NULL UNIQUE, psp_ref text, state text NOT NULL, amount bigint NOT NULL,
    capture_method text NOT NULL DEFAULT 'automatic', capture_key text,
    created_at timestamptz NOT NULL,
    queries integer NOT NULL DEFAULT 0, next_query_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS payments_by_order ON payments (order_id);
CREATE INDEX IF NOT EXISTS payments_open ON payments (next_query_at)
    WHERE state IN ('created', 'processing', 'capturing', 'voiding');
CREATE TABLE IF NOT EXISTS refunds (
    refund_id text PRIMARY KEY, order_id text NOT NULL, psp_key text NOT NULL,
    request_key text, amount bigint NOT NULL CHECK (amount > 0), restock boolean NOT NULL,
    state text NOT NULL, refusals integer NOT NULL DEFAULT 0, tries integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL, created_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS refunds_by_order ON refunds (order_id);
CREATE INDEX IF NOT EXISTS refunds_pending ON refunds (next_try_at) WHERE state = 'pending';
-- A second tab, a second replica or a lost reply must not start a second charge.
CREATE UNIQUE INDEX IF NOT EXISTS payments_one_in_flight ON payments (order_id)
    WHERE state IN ('created', 'processing');
CREATE TABLE IF NOT EXISTS order_events (
    order_id text NOT NULL, seq integer NOT NULL, from_status text, to_status text NOT NULL,
    at timestamptz NOT NULL, PRIMARY KEY (order_id, seq)
);
CREATE TABLE IF NOT EXISTS decisions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id text NOT NULL,
    decision text NOT NULL, operator text NOT NULL, note text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
-- What others are to be told, written with what it is about; the relay empties it.
CREATE TABLE IF NOT EXISTS outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id text NOT NULL,
    status text NOT NULL, at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS notifications (
    outbox_id bigint PRIMARY KEY, order_id text NOT NULL, status text NOT NULL,
    at timestamptz NOT NULL, notified_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS idempotency_keys (
    scope text NOT NULL, key text NOT NULL, fingerprint text NOT NULL,
    body bytea NOT NULL, PRIMARY KEY (scope, key)
);
CREATE TABLE IF NOT EXISTS webhook_events (
    event_id text PRIMARY KEY, order_id text NOT NULL, deliveries integer NOT NULL,
    applied boolean NOT NULL, received_at timestamptz NOT NULL DEFAULT now()
);
"""


async def create_schema(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
        await connection.execute(SCHEMA)
        await connection.execute(OFFER_TABLES)
        await connection.execute(ADMISSION_TABLE)
        await connection.execute(RECONCILIATION_TABLES)


async def create_schema_when_up(database: Database, *, patience_s: float = 30.0) -> None:
    """Create the tables as soon as a primary answers.

    Raises:
        UnavailableError: None answered within `patience_s`.
        UnknownOutcomeError: The last one was lost while it committed.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    while True:
        try:
            return await create_schema(database)
        except (UnavailableError, UnknownOutcomeError):
            if loop.time() > deadline:
                raise
            await asyncio.sleep(0.1)
