"""What a plan names besides itself: its shop's adapter and other files."""

from pathlib import Path

from doorbuster.errors import PlanError
from doorbuster.plan import Plan
from doorbuster.plan.recorded import read_columns
from doorbuster.trust import trusting
from scenarios.shops import KnownShop, known_shop


def shop_of(plan: Plan) -> KnownShop:
    """Read the adapter that a plan names; what is wrong with it is a mistake of the plan."""
    data = plan.traffic.data
    try:
        columns = read_columns(Path(data.users)) if data else ()
    except ValueError as error:
        raise PlanError(f"traffic.data: {error}") from error
    return known_shop(adapter_of(plan), columns=columns)


def require_files(plan: Plan) -> None:
    """Insist on what a plan names besides itself.

    That is its adapter without mistakes, its Locust file, and certificates that can be read.
    """
    shop_of(plan)
    traffic = plan.traffic
    if traffic.locustfile is not None and not Path(traffic.locustfile).is_file():
        raise PlanError(f"traffic.locustfile {traffic.locustfile!r}: no such file")
    if traffic.ca_file is not None:
        trusting(traffic.ca_file)


def adapter_of(plan: Plan) -> str | None:
    return None if plan.shop == "reference" else plan.shop
