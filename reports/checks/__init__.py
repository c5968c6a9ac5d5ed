"""The checks: questions to the evidence, each a function from a run to a verdict."""

from collections.abc import Callable
from typing import Final

from doorbuster.verdicts import Verdict
from reports.checks.generator import generator_healthy
from reports.checks.limits import limits_held
from reports.checks.money import no_double_charge, no_orphan_charge
from reports.checks.orders import no_order_lost, no_phantom_order, one_order_per_key
from reports.checks.prices import prices_right
from reports.checks.stock import no_oversell, stock_conserved
from reports.checks.stuck import no_stuck_order
from reports.checks.undersell import no_lost_stock
from reports.evidence import Run

Check = Callable[[Run], Verdict]

CHECKS: Final[tuple[Check, ...]] = (
    no_oversell,
    stock_conserved,
    no_lost_stock,
    no_order_lost,
    no_phantom_order,
    one_order_per_key,
    no_stuck_order,
    limits_held,
    prices_right,
    no_double_charge,
    no_orphan_charge,
    generator_healthy,
)
"""All checks, in the order in which a reader wants them."""
