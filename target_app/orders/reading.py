"""Reading orders, as their buyers see them."""

from typing import Any, get_args

import msgspec

from target_app.database.primary import Connection
from target_app.instants import rfc3339
from target_app.pricing.quote import Step

ORDER = """
SELECT order_id, client_ref, user_ref, total, currency, created_at, updated_at, expires_at,
       version, now() AS at,
       CASE WHEN status = 'pending_payment' AND expires_at <= now() THEN 'expired'
            ELSE status END AS status,
       (SELECT json_agg(json_build_object('sku', sku, 'qty', qty, 'unit_price', unit_price)
                        ORDER BY sku)::text
        FROM order_lines l WHERE l.order_id = o.order_id) AS lines,
       coalesce((SELECT subtotal FROM order_pricing r WHERE r.order_id = o.order_id), total)
       AS subtotal,
       (SELECT coalesce(json_agg(json_build_object('rule', rule, 'step', step, 'amount', amount)
                        ORDER BY array_position({steps}, step), rule), '[]')::text
        FROM (SELECT rule, step, sum(amount) AS amount FROM order_discounts d
              WHERE d.order_id = o.order_id GROUP BY rule, step) AS taken_off) AS discounts,
       (SELECT coalesce(json_agg(json_build_object(
                    'payment_id', payment_id, 'state', state, 'amount', amount,
                    'capture_method', capture_method, 'psp_ref', psp_ref)
                ORDER BY created_at), '[]')::text
        FROM payments p WHERE p.order_id = o.order_id) AS payments,
       (SELECT coalesce(json_agg(json_build_object(
                    'refund_id', refund_id, 'state', state, 'amount', amount, 'restock', restock)
                ORDER BY created_at), '[]')::text
        FROM refunds r WHERE r.order_id = o.order_id) AS refunds,
       (SELECT json_agg(json_build_object(
                    'seq', seq, 'from', from_status, 'to', to_status, 'at',
                    to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
                ORDER BY seq)::text
        FROM order_events e WHERE e.order_id = o.order_id) AS events
FROM orders o WHERE {column} = $1 ORDER BY created_at LIMIT 1
"""
STEPS = "ARRAY['" + "', '".join(get_args(Step)) + "']"
BY_ID = ORDER.format(column="order_id", steps=STEPS)
BY_CLIENT_REF = ORDER.format(column="client_ref", steps=STEPS)


async def order_by_id(connection: Connection, order_id: str) -> dict[str, Any] | None:
    return await _read(connection, BY_ID, order_id)


async def order_by_client_ref(connection: Connection, client_ref: str) -> dict[str, Any] | None:
    return await _read(connection, BY_CLIENT_REF, client_ref)


async def _read(connection: Connection, query: str, name: str) -> dict[str, Any] | None:
    row = await connection.fetchrow(query, name)
    if row is None:
        return None
    return {
        "order_id": row["order_id"],
        "client_ref": row["client_ref"],
        "customer": row["user_ref"],
        "status": row["status"],
        "lines": msgspec.Raw(row["lines"].encode()),
        "payments": msgspec.Raw(row["payments"].encode()),
        "refunds": msgspec.Raw(row["refunds"].encode()),
        "events": msgspec.Raw((row["events"] or "[]").encode()),
        "subtotal": row["subtotal"],
        "discounts": msgspec.Raw(row["discounts"].encode()),
        "total": row["total"],
        "currency": row["currency"],
        "reservation": {"expires_at": rfc3339(row["expires_at"])},
        "created_at": rfc3339(row["created_at"]),
        "updated_at": rfc3339(row["updated_at"]),
        "version": row["version"],
        "server_time": rfc3339(row["at"]),
    }
