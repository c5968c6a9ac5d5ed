"""The reference shop's adapter with what a plan adds to the shop: a line, early access."""

from collections.abc import Collection
from functools import reduce
from importlib import resources
from typing import Any, Literal

from ruamel.yaml import YAML

from doorbuster.plan.model import Plan
from scenarios.adapter import Adapter, told_in

Addition = Literal["line", "early"]


def additions_of(plan: Plan) -> tuple[Addition, ...]:
    """Return what `plan` adds to the reference shop."""
    line: tuple[Addition, ...] = ("line",) if plan.storefront.waiting_room is not None else ()
    return (*line, "early") if plan.sale.early_access else line


def reference_with(additions: Collection[Addition]) -> Adapter:
    folder = resources.files("scenarios") / "adapters"
    parts = [
        YAML(typ="safe", pure=True).load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("reference", *additions)
    ]
    whole = reduce(_both, parts)
    return Adapter.model_validate(whole, context={"told": told_in(whole)})


def _both(one: Any, other: Any) -> Any:
    """Return mappings with the entries of both; of lists, what is added comes first and so wins."""
    if isinstance(one, dict) and isinstance(other, dict):
        common = {key: _both(one[key], value) for key, value in other.items() if key in one}
        return one | other | common
    assert isinstance(one, list), "only mappings and lists are added to"
    return [*other, *one]
