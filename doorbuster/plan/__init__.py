"""The plan: what a rehearsal intends, as frozen values read from YAML."""

from doorbuster.plan.model import Plan
from doorbuster.plan.reading import LoadedPlan, load_plan

__all__ = ["LoadedPlan", "Plan", "load_plan"]
