"""The plan: what a rehearsal intends, as frozen values read from YAML."""

from doorbuster.plan.model import Plan
from doorbuster.plan.reading import LoadedPlan, load_plan
from doorbuster.plan.storefront import KnownShop

__all__ = ["KnownShop", "LoadedPlan", "Plan", "load_plan"]
