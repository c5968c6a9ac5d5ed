"""Was everybody charged what the rules say? Prices are computed again from the rules themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from doorbuster.quantities import money_text
from doorbuster.verdicts import Verdict
from reports.checks.repricing import Bought, RuleSet, cost_of
from reports.checks.ruling import Finding, counted, ruled
from reports.evidence import Run

OUTSIDE: Final = "sold outside of the sale"
_PLAIN: Final = """
WITH planned AS (
  SELECT unnest($skus::VARCHAR[]) AS sku, unnest($prices::BIGINT[]) AS price
), known AS (
  SELECT sku, coalesce(planned.price, offers.price) AS price
  FROM planned FULL JOIN offers USING (sku)
), only_sale AS (
  SELECT starts_at, ends_at FROM sales QUALIFY count(*) OVER () = 1
)
SELECT placed.order_id, any_value(placed.client_ref) AS client_ref,
       any_value(placed.user_ref) AS user_ref, any_value(placed.total) AS total_minor,
       sum(line.qty * known.price)::BIGINT AS price_minor,
       bool_or(known.price IS NULL) AS unknown,
       coalesce(any_value(placed.created_at::TIMESTAMPTZ < sale.starts_at::TIMESTAMPTZ
         OR placed.created_at::TIMESTAMPTZ >= sale.ends_at::TIMESTAMPTZ), false) AS outside
FROM orders AS placed JOIN order_lines AS line USING (order_id)
LEFT JOIN known USING (sku) LEFT JOIN only_sale AS sale ON true
WHERE placed.order_id NOT IN (SELECT order_id FROM order_pricing)
GROUP BY placed.order_id
"""
"""Orders to which no rule applied: what they cost is quantity times price.

A shop with several sales does not say which one an order was of.
"""

_BY_RULES: Final = """
SELECT priced.order_id, any_value(placed.client_ref) AS client_ref,
       any_value(placed.user_ref) AS user_ref, any_value(placed.total) AS total_minor,
       any_value(priced.subtotal) AS subtotal_minor, any_value(priced.tier) AS tier,
       any_value(priced.coupons) AS coupons, any_value(priced.promotion_version) AS version,
       any_value(priced.priced_at) AS priced_at,
       list(line.sku) AS skus, list(line.qty) AS quantities
FROM order_pricing AS priced JOIN orders AS placed USING (order_id)
JOIN order_lines AS line USING (order_id)
WHERE line.sku IN (SELECT sku FROM offers)
GROUP BY priced.order_id ORDER BY priced.order_id
"""
"""Orders that rules, coupons or a quote were about; gifts are no offer and cost nothing."""


@dataclass(frozen=True)
class Repriced:
    """What came of pricing all orders again."""

    orders: int
    wrong: list[dict[str, Any]]
    unknown: int


def prices_right(run: Run) -> Verdict:
    """Every order costs what the sale's rules come to, for that buyer at that moment."""
    plain, by_rules = _plain(run), _by_rules(run)
    orders = plain.orders + by_rules.orders
    wrong = plain.wrong + by_rules.wrong
    unknown = plain.unknown + by_rules.unknown
    return ruled(
        "prices_right",
        Finding(
            broken=[_sentence(wrong)] if wrong else (),
            doubts=(
                run.ledger_unread,
                None if orders else "the ledger holds no order, so no price was computed",
                f"of {counted(unknown, 'order')} nobody knows what it should cost"
                if unknown
                else None,
                run.unsettled,
            ),
            sound=f"{counted(orders, 'order')} priced again, {by_rules.orders:,} of them by rules "
            "or coupons: all cost what they should",
            counts={
                "orders": orders,
                "orders_by_rules": by_rules.orders,
                "orders_priced_wrongly": len(wrong),
                "orders_of_unknown_price": unknown,
            },
            witnesses=wrong,
        ),
    )


def _plain(run: Run) -> Repriced:
    prices = {sku: item.price for item in run.plan.sale.items for sku in item.skus}
    known = {"skus": list(prices), "prices": list(prices.values())}
    seen = run.row(
        f"SELECT count(*) AS orders, count(*) FILTER (WHERE unknown) AS unknown FROM ({_PLAIN})",
        **known,
    )
    wrong = run.rows(
        f"SELECT order_id, client_ref, user_ref, total_minor, price_minor, "
        f"CASE WHEN outside THEN '{OUTSIDE}' ELSE 'wrong total' END AS why "
        f"FROM ({_PLAIN}) WHERE NOT unknown AND (total_minor <> price_minor OR outside) "
        f"ORDER BY order_id",
        **known,
    )
    return Repriced(seen["orders"], wrong, seen["unknown"])


def _by_rules(run: Run) -> Repriced:
    orders, wrong, unknown = 0, [], 0
    rules = {row["version"]: row["rules"] for row in _rule_sets(run)}
    for row in run.rows(_BY_RULES):
        orders += 1
        if row["version"] not in rules:
            unknown += 1
            continue
        bought = Bought(
            quantities=dict(zip(row["skus"], row["quantities"], strict=True)),
            coupons=msgspec.json.decode(row["coupons"], type=list[str]),
            tier=row["tier"],
            at=datetime.fromisoformat(row["priced_at"]),
        )
        subtotal, total = cost_of(bought, rules[row["version"]])
        outside = not rules[row["version"]].is_open(bought)
        if outside or (subtotal, total) != (row["subtotal_minor"], row["total_minor"]):
            same = {name: row[name] for name in ("order_id", "client_ref", "user_ref")}
            found = {"total_minor": row["total_minor"], "price_minor": total}
            why = OUTSIDE if outside else f"by {row['version']}"
            wrong.append(same | found | {"why": why})
    return Repriced(orders, wrong, unknown)


def _rule_sets(run: Run) -> Iterator[Mapping[str, Any]]:
    """Yield the rules of each version that an order was priced by; all are of the one sale."""
    sales = run.rows("SELECT starts_at, ends_at FROM sales")
    if len(sales) != 1:
        return
    (sale,) = sales
    offers = {r["sku"]: (r["price"], r["list_price"]) for r in run.rows("SELECT * FROM offers")}
    coupons = {r["code"]: _rule(r) for r in run.rows("SELECT code, rule FROM coupons")}
    for version in run.rows("SELECT DISTINCT promotion_version AS version FROM order_pricing"):
        promotions = run.rows("SELECT rule FROM promotions WHERE version = $version", **version)
        yield version | {
            "rules": RuleSet(
                starts_at=datetime.fromisoformat(sale["starts_at"]),
                ends_at=sale["ends_at"] and datetime.fromisoformat(sale["ends_at"]),
                offers=offers,
                promotions=[_rule(row) for row in promotions],
                coupons=coupons,
            )
        }


def _rule(row: Mapping[str, Any]) -> dict[str, Any]:
    return msgspec.json.decode(row["rule"], type=dict[str, Any])


def _sentence(wrong: list[dict[str, Any]]) -> str:
    first = wrong[0]
    return (
        f"{counted(len(wrong), 'order')} priced wrongly; {first['order_id']} costs "
        f"{money_text(first['total_minor'])}, should cost {money_text(first['price_minor'])} "
        f"({first['why']})"
    )
