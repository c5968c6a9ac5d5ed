"""Relations that follow from the files: operations from their events, confirmations from both.

`operations`: one row per act with an effect; an invocation without completion is `info` with the
reason `no_completion`, because a request that was under way may have worked.
`confirmations`: what the shop confirmed to a client, with how the ledger fails to bear it out.
`owed`: order lines of which goods are owed or held.
"""

from collections.abc import Iterable
from typing import Final

import duckdb

from doorbuster.ledger import PAYABLE, SOLD
from doorbuster.plan import Plan


def sql_list(values: Iterable[str]) -> str:
    """Return `values` as the list of an SQL `IN`."""
    return "(" + ", ".join(f"'{value}'" for value in sorted(values)) + ")"


REFUNDING: Final = frozenset({"refund_pending", "refunded"})
"""Order states of a sale that was undone: the payment was kept in mind."""

_OPERATIONS: Final = """
CREATE TABLE operations AS
SELECT begun.id, begun.op, begun.due_s, begun.at_s AS invoked_s, begun.arrival, begun.persona,
       begun.user_ref, begun.client_ref, begun.key, begun.sku, begun.qty,
       coalesce(ended.type, 'info') AS outcome,
       CASE WHEN ended.id IS NULL THEN 'no_completion' ELSE ended.reason END AS reason,
       ended.at_s AS ended_s,
       coalesce(list_last(ended.attempts).sent_s, begun.at_s) AS last_sent_s,
       coalesce(ended.order_id, begun.order_id) AS order_id,
       ended.amount,
       coalesce(ended.attempts, []) AS attempts
FROM (SELECT * FROM events WHERE type = 'invoke') AS begun
LEFT JOIN (SELECT * FROM events WHERE type IN ('ok', 'fail', 'info')) AS ended USING (id)
"""

_CONFIRMATIONS: Final = f"""
CREATE TABLE confirmations AS
WITH cancelled AS (
  SELECT DISTINCT client_ref FROM operations WHERE op = 'cancel' AND outcome <> 'fail'
)
SELECT said.op, said.client_ref, said.user_ref, said.amount, said.last_sent_s, said.ended_s,
       coalesce(said.order_id, by_ref.order_id) AS order_id,
       coalesce(by_id.status, by_ref.status) AS status,
       CASE WHEN said.order_id IS NULL AND NOT $referenced THEN NULL
            WHEN coalesce(by_id.status, by_ref.status) IS NULL THEN 'missing'
            WHEN said.op = 'pay' AND cancelled.client_ref IS NULL
                 AND coalesce(by_id.status, by_ref.status)
                     NOT IN {sql_list(SOLD | REFUNDING)} THEN 'not paid'
       END AS loss
FROM (SELECT * FROM operations WHERE outcome = 'ok' AND op IN ('reserve', 'pay')) AS said
LEFT JOIN orders AS by_id ON by_id.order_id = said.order_id
LEFT JOIN orders AS by_ref ON said.order_id IS NULL AND by_ref.client_ref = said.client_ref
LEFT JOIN cancelled ON cancelled.client_ref = said.client_ref
"""

_LOST_ORDERS: Final = """
CREATE TABLE lost_orders AS
SELECT order_id, any_value(client_ref) AS client_ref, any_value(user_ref) AS user_ref,
       max(coalesce(amount, 0)) AS amount, min(loss) AS loss,
       min(last_sent_s) FILTER (WHERE loss IS NOT NULL) AS sent_s,
       min(ended_s) FILTER (WHERE loss IS NOT NULL) AS confirmed_s
FROM confirmations
WHERE order_id IN (SELECT order_id FROM confirmations WHERE loss IS NOT NULL)
   OR (order_id IS NULL AND loss IS NOT NULL)
GROUP BY order_id, CASE WHEN order_id IS NULL THEN client_ref END
"""

_OWED: Final = f"""
CREATE VIEW owed AS
SELECT line.sku, line.qty, placed.order_id, placed.client_ref, placed.user_ref,
       placed.created_at, placed.status, placed.status IN {sql_list(SOLD)} AS sold
FROM order_lines AS line JOIN orders AS placed USING (order_id)
WHERE placed.status IN {sql_list(SOLD | PAYABLE)}
"""

_STOCKED: Final = """
CREATE VIEW stocked AS
SELECT coalesce(planned.sku, held.sku) AS sku,
       coalesce(planned.initial, held.initial) + coalesce(held.adjusted, 0) AS units
FROM plan_stock AS planned FULL JOIN stock AS held ON planned.sku = held.sku
"""


def derive(connection: duckdb.DuckDBPyConnection, plan: Plan, *, referenced: bool) -> None:
    """Add the planned stock and the derived relations.

    Where orders are not `referenced`, they do not carry what clients call them, and a confirmation
    without an order's id is about one that cannot be found.
    """
    stock = {sku: item.stock for item in plan.sale.items for sku in item.skus}
    connection.execute(
        "CREATE TABLE plan_stock AS "
        "SELECT unnest($skus::VARCHAR[]) AS sku, unnest($units::BIGINT[]) AS initial",
        {"skus": list(stock), "units": list(stock.values())},
    )
    connection.execute(_OPERATIONS)
    connection.execute(_CONFIRMATIONS, {"referenced": referenced})
    for statement in (_LOST_ORDERS, _OWED, _STOCKED):
        connection.execute(statement)
