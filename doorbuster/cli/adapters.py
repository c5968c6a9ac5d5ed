"""What a plan names besides itself: its shop's adapter and other files."""

from pathlib import Path

from doorbuster.errors import PlanError
from doorbuster.plan import Plan
from scenarios.shops import KnownShop, known_shop


def shop_of(plan: Plan) -> KnownShop:
    """Read the adapter that a plan names; what is wrong with it is a mistake of the plan."""
    return known_shop(adapter_of(plan))


def require_files(plan: Plan) -> None:
    """Insist on what a plan names besides itself: its adapter without mistakes, and other files."""
    shop_of(plan)
    named = {"locustfile": plan.traffic.locustfile, "ca_file": plan.traffic.ca_file}
    for key, name in named.items():
        if name is not None and not Path(name).is_file():
            raise PlanError(f"traffic.{key} {name!r}: no such file")


def adapter_of(plan: Plan) -> str | None:
    return None if plan.shop == "reference" else plan.shop
